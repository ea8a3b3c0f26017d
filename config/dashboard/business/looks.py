"""How each report is shown: its headline, its chart, and which rows of two periods belong together."""

from dataclasses import dataclass
from enum import Enum

from config.dashboard.business.charts import Draw, bars, lines, steps
from config.dashboard.business.headline import Figure, average, greatest, share, total


class Pairing(Enum):
    """What a row has in common with the one that it is compared with."""

    SLOT = "its place in the period, and its keys"
    KEYS = "its keys"
    RANK = "its place in the list"
    NONE = "nothing"


@dataclass(frozen=True)
class Look:
    """`keys` are the columns that tell rows apart, all others are measured. `draw` None: a table of heat."""

    title: str
    keys: tuple[str, ...]
    pairing: Pairing
    headline: tuple[Figure, ...]
    draw: Draw | None


LOOKS = {
    "revenue": Look(
        "Revenue",
        ("period", "currency"),
        Pairing.SLOT,
        (
            Figure("Revenue", "revenue", total("revenue")),
            Figure("Sales", "sales", total("sales")),
            Figure("Average sale", "average_sale", average("revenue", "sales"), is_sum=False),
            Figure("Orders placed", "orders", total("orders")),
            Figure("Given back of these", "refunded", total("refunded")),
        ),
        lines("revenue", title="Revenue"),
    ),
    "payments": Look(
        "Payments",
        ("method_type", "currency"),
        Pairing.KEYS,
        (
            Figure("Paid", "paid", total("paid")),
            Figure("Succeed", "success_rate", share("captured", "captured", "declined"), is_sum=False),
            Figure("Captured", "captured", total("captured")),
            Figure("Declined", "declined", total("declined")),
        ),
        bars("captured", "method_type", title="Payments captured, by what they are paid by"),
    ),
    "declines": Look(
        "Declines",
        ("decline_code", "method_type"),
        Pairing.KEYS,
        (Figure("Payments declined", "payments", total("payments")),),
        bars("payments", "decline_code", "method_type", title="Payments declined, by reason"),
    ),
    "settling": Look(
        "Settling",
        ("period",),
        Pairing.SLOT,
        (
            Figure("Orders settled", "orders", total("orders")),
            Figure("99 of 100 within, at worst", "p99_ms", greatest("p99_ms"), is_sum=False),
            Figure("Longest", "max_ms", greatest("max_ms"), is_sum=False),
        ),
        lines("p50_ms", "p90_ms", "p99_ms", title="Time until an order is settled", has_gaps=True),
    ),
    "refunds": Look(
        "Refunds",
        ("period", "kind", "currency"),
        Pairing.SLOT,
        (
            Figure("Given back", "amount", total("amount", where=lambda row: row["kind"] == "refund")),
            Figure("Refunds", "count", total("count", where=lambda row: row["kind"] == "refund")),
            Figure(
                "Taken back by banks", "amount", total("amount", where=lambda row: row["kind"] == "dispute")
            ),
            Figure("Disputes", "count", total("count", where=lambda row: row["kind"] == "dispute")),
        ),
        lines("amount", by="kind", title="Money that went back"),
    ),
    "customers": Look(
        "Customers",
        (),
        Pairing.KEYS,
        (
            Figure("Customers", "customers", total("customers")),
            Figure("Came again", "repeat_customers", total("repeat_customers")),
            Figure(
                "Share that came again",
                "confirmed_rate",
                share("repeat_customers", "customers"),
                is_sum=False,
            ),
            Figure("Orders", "orders", total("orders")),
        ),
        steps("customers", "repeat_customers", title="Customers, and those of two orders or more"),
    ),
    "products": Look(
        "Products",
        ("sku", "currency"),
        Pairing.KEYS,
        (
            Figure("Revenue of these", "revenue", total("revenue")),
            Figure("Pieces sold of these", "quantity", total("quantity")),
        ),
        bars("revenue", "sku", title="Best sold, by revenue"),
    ),
    "funnel": Look(
        "Funnel",
        (),
        Pairing.KEYS,
        (
            Figure("Placed", "placed", total("placed")),
            Figure("Confirmed", "confirmed", total("confirmed")),
            Figure("Confirmed of placed", "confirmed_rate", share("confirmed", "placed"), is_sum=False),
            Figure("Refunded", "refunded", total("refunded")),
            Figure("Cancelled", "cancelled", total("cancelled")),
        ),
        steps("placed", "confirmed", "refunded", "cancelled", title="What became of orders"),
    ),
    "cohorts": Look(
        "Cohorts",
        ("cohort", "months_later", "currency"),
        Pairing.NONE,
        (
            Figure("Orders", "orders", total("orders")),
            Figure(
                "Orders of who came in a later month",
                "orders",
                total("orders", where=lambda row: row["months_later"] > 0),
            ),
            Figure("Revenue", "revenue", total("revenue")),
        ),
        None,
    ),
    "busiest": Look(
        "Busiest times",
        ("period",),
        Pairing.RANK,
        (Figure("Most orders at once", "orders", greatest("orders"), is_sum=False),),
        bars("orders", "period", title="Orders at the busiest times", is_compared=False),
    ),
}
