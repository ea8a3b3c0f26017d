"""The sagas of an order: placing it and cancelling it."""

from datetime import timedelta

from orders.steps.authorize_order_payments import AuthorizeOrderPayments
from orders.steps.close_orders import close_orders
from orders.steps.confirm_orders import confirm_orders
from orders.steps.release_stock import release_stock
from orders.steps.reserve_stock import reserve_stock
from orders.steps.stop_placement import PLACE_ORDER as PLACE_ORDER_NAME
from orders.steps.stop_placement import stop_placement
from payments.public import CapturePayments, ReturnPayments
from resilience.retry import RetryPolicy
from resilience.saga.definition import SagaDefinition, Step
from resilience.saga.registry import register

# A gateway that is away for hours must not cost an order; the saga's deadline is the limit.
# One that says it has too much to do is given more time at once (the AWS SDKs: 1 s instead of 50 ms).
GATEWAY_RETRY = RetryPolicy(
    wait_initial_s=0.5, wait_max_s=30.0, when_overloaded=RetryPolicy(wait_initial_s=2.0, wait_max_s=60.0)
)
# A running placement ends within a call or two.
SOON = RetryPolicy(wait_initial_s=0.2, wait_max_s=5.0)

PLACE_ORDER = register(
    SagaDefinition(
        name=PLACE_ORDER_NAME,
        version=1,
        steps=(
            Step("reserve_stock", do=reserve_stock, undo=release_stock),
            Step(
                "authorize_payment", do=AuthorizeOrderPayments(), undo=ReturnPayments(), retry=GATEWAY_RETRY
            ),
            Step("capture_payment", do=CapturePayments(), retry=GATEWAY_RETRY, pivot=True),
            Step("confirm_order", do=confirm_orders),
        ),
        lasts_at_most=timedelta(hours=24),
        on_compensated=close_orders,
        subject="order_id",
    )
)

CANCEL_ORDER = register(
    SagaDefinition(
        name="cancel_order",
        version=1,
        steps=(
            Step("stop_placement", do=stop_placement, retry=SOON, pivot=True),
            Step("return_payment", do=ReturnPayments(), retry=GATEWAY_RETRY),
            Step("release_stock", do=release_stock),
            Step("close_order", do=close_orders),
        ),
        lasts_at_most=timedelta(days=30),
        subject="order_id",
    )
)
