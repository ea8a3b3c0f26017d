"""The products that past orders need: put into the catalogue where they are missing, and stocked once."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from enum import StrEnum
from urllib.parse import quote

from config.replay.api import Api, is_replayed, problem_of
from config.replay.crew import work_through
from config.replay.pages import pages
from config.replay.requests import stock_key
from config.replay.source import SourceProduct, Survey


class Step(StrEnum):
    """What became of a product."""

    CREATED = "created"
    STOCKED = "stocked"
    STOCKED_BEFORE = "stocked_before"


def stock_products(
    found: Survey, *, api: Api, threads: int, stop: threading.Event, on_product: Callable[[], None]
) -> Counter[str]:
    """Create the products that the catalogue lacks and add each product's units, once for this file.

    A product that is there keeps its name and price. Returns how often each Step was taken, and
    `refused: <code>` for products that the API refuses; their orders are refused in turn.
    Raises what `Api.send` raises.
    """
    known = {product["sku"] for page in pages(api, "/api/v1/products") for product in page}
    steps: list[str] = []

    def stock(product: SourceProduct) -> None:
        steps.extend(_stock(product, is_known=product.sku in known, digest=found.digest, api=api))
        on_product()

    work_through(found.products, act=stock, threads=threads, stop=stop)
    return Counter(steps)


def _stock(product: SourceProduct, *, is_known: bool, digest: str, api: Api) -> Iterator[str]:
    path = f"/api/v1/products/{quote(product.sku, safe='')}"
    if not is_known:
        price = {"amount": product.price_minor, "currency": product.currency}
        put = api.send("PUT", path, body={"name": product.sku, "price": price})
        if not put.is_success:
            # Not stocked either: the refusal would be stored under the key of a product to come.
            yield f"refused: {problem_of(put)['code']}"
            return
        yield Step.CREATED
    stocked = api.send(
        "POST",
        f"{path}/stock",
        body={"adjust": product.units},
        key=stock_key(digest=digest, sku=product.sku),
    )
    if not stocked.is_success:
        yield f"refused: {problem_of(stocked)['code']}"
    else:
        yield Step.STOCKED_BEFORE if is_replayed(stocked) else Step.STOCKED
