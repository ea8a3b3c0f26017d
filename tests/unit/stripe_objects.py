"""Stripe's objects and pages, as far as the adapter reads them, and an account that asks for them."""

from uuid import UUID

from payments.gateways.stripe import StripeGateway
from tests.unit.scripted_gateway import answer

SECRET_KEY = "sk_test_never_to_be_seen"
ORDER, PAYMENT = UUID(int=1), UUID(int=2)


def intent(**changes):
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 1299,
        "amount_received": 0,
        "currency": "eur",
        "last_payment_error": None,
        "metadata": {"order_id": str(ORDER), "payment_id": str(PAYMENT), "operation_key": "key-1"},
        "next_action": None,
        "status": "requires_capture",
        **changes,
    }


def captured(**changes):
    return intent(status="succeeded", amount_received=1299, **changes)


def refund(**changes):
    return {
        "id": "re_1",
        "object": "refund",
        "amount": 500,
        "currency": "eur",
        "payment_intent": "pi_1",
        "metadata": {"operation_key": "key-4"},
        "status": "succeeded",
        **changes,
    }


def error(status, *, headers="", **fields):
    return answer({"error": {"message": "No.", **fields}}, status=status, headers=headers)


def unexpected_state(shown):
    return error(
        400, type="invalid_request_error", code="payment_intent_unexpected_state", payment_intent=shown
    )


def page(*items, kind="search_result", has_more=False):
    return answer({"object": kind, "data": list(items), "has_more": has_more})


def refunds(*items, has_more=False):
    return page(*items, kind="list", has_more=has_more)


def gateway(url, **options):
    return StripeGateway(name="stripe", url=url, secret_key=SECRET_KEY, read_timeout_s=0.5, **options)
