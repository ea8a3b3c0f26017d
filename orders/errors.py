"""What the orders context refuses."""

from resilience.errors import Operational, Refusal


class UnknownSkuError(Refusal):
    """A line names a product that the catalogue does not have."""

    code = "unknown_sku"


class CurrencyMismatchError(Refusal):
    """A line's product is sold in another currency than the order's."""

    code = "currency_mismatch"


class PaymentsDoNotAddUpError(Refusal):
    """The payments' amounts are not the order's total."""

    code = "payments_do_not_add_up"


class NothingToPayError(Refusal):
    """The order's total is zero."""

    code = "nothing_to_pay"


class TotalTooLargeError(Refusal):
    """The order's total is more than a gateway takes in one charge."""

    code = "total_too_large"


class OrderNotFoundError(Refusal):
    """There is no such order, or it is another client's."""

    code = "order_not_found"


class ProductNotFoundError(Refusal):
    """There is no such product."""

    code = "product_not_found"


class StockBelowReservedError(Refusal):
    """Stock on hand cannot fall below what orders hold."""

    code = "stock_below_reserved"


class OrderIntakePausedError(Operational):
    """Operators have paused the intake of new orders (the switch order-intake)."""

    code = "order_intake_paused"
