"""Of the test methods of Stripe and of the sandbox, one for each way that a payment can go."""

from payments.gateways.base import Declined

METHOD_OK = "pm_card_visa"
METHOD_DECLINED = "pm_card_visa_chargeDeclined"
METHOD_WITHOUT_FUNDS = "pm_card_visa_chargeDeclinedInsufficientFunds"
METHOD_WITH_ACTION = "pm_card_threeDSecure2Required"
METHOD_WITH_PENDING_REFUND = "pm_card_pendingRefund"
# The sandbox knows these two; boletos are paid in BRL only.
METHOD_BOLETO = "pm_boleto"
METHOD_VOUCHER = "pm_voucher"

DECLINES = {
    METHOD_DECLINED: Declined("generic_decline", "Your card was declined."),
    METHOD_WITHOUT_FUNDS: Declined("insufficient_funds", "Your card has insufficient funds."),
}
