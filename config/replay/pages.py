"""Lists of the API, page by page."""

from collections.abc import Iterator, Mapping
from typing import Any

from config.replay.api import Api, problem_of
from config.replay.errors import ReplayError

# The API's own largest page.
_PAGE_LIMIT = "100"


def pages(api: Api, path: str, parameters: Mapping[str, str] | None = None) -> Iterator[list[dict[str, Any]]]:
    """Yield the pages of a list; raises ReplayError when it is refused, and what `Api.send` raises."""
    asked = {**(parameters or {}), "limit": _PAGE_LIMIT}
    while True:
        answer = api.send("GET", path, parameters=asked)
        if not answer.is_success:
            raise ReplayError(f"GET {path} was refused: {problem_of(answer)}")
        document = answer.json()
        yield document["data"]
        if document["next_cursor"] is None:
            return
        asked["cursor"] = document["next_cursor"]
