"""What an embedded stack needs before its first request: an operator, an API key, a catalogue.

Login and key are derived from the folder's secret key, so that they stay the same over restarts
and need no file of their own.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.contrib.auth import get_user_model

from orders.models import Product
from orders.services.adjust_stock import adjust_stock
from orders.services.put_product import put_product
from resilience.apikeys.keys import store_key

OPERATOR = "operator"
CLIENT = "demo"
PERMISSIONS = (
    "catalogue.write",
    "events.read",
    "ledger.read",
    "ledger.reconcile",
    "orders.import",
    "orders.read",
    "orders.write",
    "payments.read",
    "payments.refund",
    "reports.read",
    "webhooks.read",
    "webhooks.write",
)
# SKU, name, price in euro cents.
CATALOGUE = (
    ("TEA-SENCHA-100", "Sencha, 100 g", 1290),
    ("TEA-ASSAM-250", "Assam, 250 g", 1450),
    ("TEA-OOLONG-50", "Oolong, 50 g", 1890),
    ("POT-IRON-800", "Cast-iron teapot, 0.8 l", 6900),
    ("POT-GLASS-1200", "Glass teapot, 1.2 l", 3450),
    ("CUP-STONE-2", "Two stoneware cups", 2400),
    ("TIN-BLACK-200", "Tea tin, black, 200 g", 990),
    ("KETTLE-GOOSE-1000", "Gooseneck kettle, 1 l", 8900),
)
# Enough for months of demo traffic.
STOCK = 1_000_000


@dataclass(frozen=True)
class WayIn:
    """How to get into a stack of this folder."""

    api_key: str
    username: str
    password: str


def bootstrap(*, now: datetime) -> WayIn:
    """Create what is missing and return the way in; done twice, it changes nothing."""
    way_in = WayIn(
        api_key=f"hf_{_derived('api-key-prefix')[:12]}_{_derived('api-key-secret')}",
        username=OPERATOR,
        password=_derived("operator-password")[:16],
    )
    _ensure_operator(way_in)
    store_key(way_in.api_key, client=CLIENT, name="embedded stack", permissions=PERMISSIONS, now=now)
    _ensure_catalogue(now)
    return way_in


def _ensure_operator(way_in: WayIn) -> None:
    users = get_user_model()
    if not users.objects.filter(username=way_in.username).exists():
        users.objects.create_superuser(way_in.username, password=way_in.password)


def _ensure_catalogue(now: datetime) -> None:
    known = set(Product.objects.values_list("sku", flat=True))
    for sku, name, price_minor in CATALOGUE:
        if sku not in known:
            put_product(sku=sku, name=name, price_minor=price_minor, currency="EUR", now=now)
            adjust_stock(sku=sku, by=STOCK)


def _derived(purpose: str) -> str:
    return hmac.new(settings.SECRET_KEY.encode(), purpose.encode(), hashlib.sha256).hexdigest()
