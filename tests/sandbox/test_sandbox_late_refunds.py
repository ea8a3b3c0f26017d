"""Refunds that are not settled at once: some come later, some come back."""


def _refunded(gateway, method):
    intent = gateway.authorize(payment_method=method, capture_method="automatic")
    return gateway.refunds.create({"payment_intent": intent.id, "amount": 500})


def _in_status(gateway, refund, status):
    after = gateway.refunds.retrieve(refund.id)
    return after if after.status == status else None


def test_a_pending_refund_succeeds_later(gateway, wait_until):
    gateway.configure(refund_clears_after_s=0.2)
    refund = _refunded(gateway, "pm_card_pendingRefund")
    assert (refund.status, refund.pending_reason) == ("pending", "processing")
    assert gateway.stripe.v1.charges.retrieve(refund.charge).amount_refunded == 500

    wait_until(lambda: _in_status(gateway, refund, "succeeded"))

    assert gateway.events_of(refund.id) == ["refund.created", "refund.updated"]
    assert gateway.stripe.v1.charges.retrieve(refund.charge).amount_refunded == 500
    [row] = gateway.stripe.v1.balance_transactions.list({"source": refund.id}).data
    assert (row.id, row.amount) == (refund.balance_transaction, -500)


def test_a_refund_that_fails_brings_the_money_back(gateway, wait_until):
    gateway.configure(refund_clears_after_s=0.2)
    refund = _refunded(gateway, "pm_card_refundFail")
    assert (refund.status, "failure_reason" in refund) == ("succeeded", False)
    assert gateway.stripe.v1.charges.retrieve(refund.charge).amount_refunded == 500

    after = wait_until(lambda: _in_status(gateway, refund, "failed"))

    assert after.failure_reason == "expired_or_canceled_card"
    assert gateway.events_of(refund.id) == ["refund.created", "refund.failed"]
    assert gateway.stripe.v1.charges.retrieve(refund.charge).amount_refunded == 0
    back, out = gateway.stripe.v1.balance_transactions.list({"source": refund.id}).data
    assert (out.type, out.amount, out.id) == ("refund", -500, refund.balance_transaction)
    assert (back.type, back.reporting_category, back.amount, back.id) == (
        "refund_failure",
        "refund_failure",
        500,
        after.failure_balance_transaction,
    )


def test_the_money_of_a_failed_refund_may_be_given_back_again(gateway, wait_until):
    gateway.configure(refund_clears_after_s=0)
    first = _refunded(gateway, "pm_card_refundFail")
    wait_until(lambda: _in_status(gateway, first, "failed"))

    again = gateway.refunds.create({"charge": first.charge})

    assert again.amount == 1299


def test_a_refund_goes_on_after_a_restart(start_gateway, wait_until):
    gateway = start_gateway()
    gateway.configure(refund_clears_after_s=1)
    refund = _refunded(gateway, "pm_card_pendingRefund")
    gateway.kill()
    gateway.start()

    wait_until(lambda: _in_status(gateway, refund, "succeeded"))
