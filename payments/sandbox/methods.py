"""The test payment methods, under the names that Stripe publishes, and what each of them does."""

import re
from dataclasses import dataclass
from enum import StrEnum

from .errors import ApiError, missing_resource
from .vocabulary import TOKEN_FAULTS

# Our own tokens: a visa whose first request meets the named fault (`pm_card_visa_fault_lose_answer`).
FAULT_PREFIX = "pm_card_visa_fault_"


@dataclass(frozen=True)
class Decline:
    """Why a card is refused: Stripe's `code`, the issuer's `decline_code`, and the text."""

    code: str
    decline_code: str
    message: str


class Payer(StrEnum):
    """What the payer of a boleto does with it."""

    PUNCTUAL = "punctual"
    NEVER = "never"
    LATE = "late"


class RefundEnd(StrEnum):
    """How a refund to the method goes."""

    SUCCEEDS = "succeeds"
    PENDS = "pends"
    FAILS = "fails"


@dataclass(frozen=True)
class Method:
    """One test method. `authentication` asks the payer first; `decline` is what comes then, if anything.

    `payer` is set for boletos only; `dispute` is the reason of the one that follows a capture.
    """

    type: str = "card"
    brand: str = "visa"
    last4: str = "4242"
    funding: str = "credit"
    country: str = "US"
    decline: Decline | None = None
    authentication: bool = False
    payer: Payer | None = None
    dispute: str | None = None
    refund: RefundEnd = RefundEnd.SUCCEEDS


_DECLINED = "Your card was declined."
GENERIC_DECLINE = Decline("card_declined", "generic_decline", _DECLINED)
AUTHENTICATION_REQUIRED = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
)
_INSUFFICIENT_FUNDS = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")
_VOUCHER_SPENT = Decline("card_declined", "insufficient_funds", "Your voucher has insufficient funds.")

# The part of the token behind `chargeDeclined`; Stripe publishes some with the brand and some without,
# so each is known as pm_card_… and as pm_card_visa_….
_DECLINES = {
    "": ("0002", GENERIC_DECLINE),
    "InsufficientFunds": ("9995", _INSUFFICIENT_FUNDS),
    "LostCard": ("9987", Decline("card_declined", "lost_card", _DECLINED)),
    "StolenCard": ("9979", Decline("card_declined", "stolen_card", _DECLINED)),
    "ExpiredCard": ("0069", Decline("expired_card", "expired_card", "Your card has expired.")),
    "IncorrectCvc": (
        "0127",
        Decline("incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect."),
    ),
    "ProcessingError": (
        "0119",
        Decline(
            "processing_error",
            "processing_error",
            "An error occurred while processing your card. Try again in a little bit.",
        ),
    ),
    "VelocityLimitExceeded": (
        "6975",
        Decline(
            "card_declined",
            "card_velocity_exceeded",
            "Your card was declined for making repeated attempts too frequently or exceeding its"
            " amount limit.",
        ),
    ),
    "Fraudulent": ("0019", Decline("card_declined", "fraudulent", _DECLINED)),
}

_METHODS = {
    "pm_card_visa": Method(),
    "pm_card_visa_debit": Method(last4="5556", funding="debit"),
    "pm_card_mastercard": Method(brand="mastercard", last4="4444"),
    "pm_card_mastercard_debit": Method(brand="mastercard", last4="8210", funding="debit"),
    "pm_card_mastercard_prepaid": Method(brand="mastercard", last4="5100", funding="prepaid"),
    "pm_card_amex": Method(brand="amex", last4="8431"),
    "pm_card_discover": Method(brand="discover", last4="1117"),
    "pm_card_diners": Method(brand="diners", last4="0004"),
    "pm_card_jcb": Method(brand="jcb", last4="0505"),
    "pm_card_unionpay": Method(brand="unionpay", last4="0005"),
    "pm_card_us": Method(),
    "pm_card_br": Method(last4="0008", country="BR"),
    "pm_card_ca": Method(last4="0000", country="CA"),
    "pm_card_mx": Method(last4="8001", country="MX"),
    "pm_card_de": Method(last4="0004", country="DE"),
    "pm_card_es": Method(last4="0007", country="ES"),
    "pm_card_fr": Method(last4="0003", country="FR"),
    "pm_card_gb": Method(last4="0000", country="GB"),
    "pm_card_it": Method(last4="0008", country="IT"),
    "pm_card_jp": Method(last4="0003", country="JP"),
    "pm_card_threeDSecureOptional": Method(last4="3055"),
    "pm_card_threeDSecureNotSupported": Method(last4="0055"),
    "pm_card_chargeCustomerFail": Method(last4="0341", decline=GENERIC_DECLINE),
    "pm_card_radarBlock": Method(last4="0019", decline=_DECLINES["Fraudulent"][1]),
    "pm_card_authenticationRequired": Method(last4="3184", authentication=True),
    "pm_card_authenticationRequiredOnSetup": Method(last4="3155", authentication=True),
    "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds": Method(
        last4="8260", authentication=True, decline=_INSUFFICIENT_FUNDS
    ),
    "pm_card_threeDSecureRequired": Method(last4="3063", authentication=True),
    "pm_card_threeDSecure2Required": Method(last4="3220", authentication=True),
    "pm_card_threeDSecureRequiredChargeDeclined": Method(
        last4="3178", authentication=True, decline=GENERIC_DECLINE
    ),
    "pm_card_createDispute": Method(last4="0259", dispute="fraudulent"),
    "pm_card_createDisputeProductNotReceived": Method(last4="2685", dispute="product_not_received"),
    "pm_card_pendingRefund": Method(last4="7726", refund=RefundEnd.PENDS),
    "pm_card_refundFail": Method(last4="5126", refund=RefundEnd.FAILS),
    "pm_boleto": Method(type="boleto", country="BR", payer=Payer.PUNCTUAL),
    "pm_boleto_unpaid": Method(type="boleto", country="BR", payer=Payer.NEVER),
    "pm_boleto_expires": Method(type="boleto", country="BR", payer=Payer.LATE),
    "pm_voucher": Method(type="voucher", last4="0001"),
    "pm_voucher_spent": Method(type="voucher", last4="0002", decline=_VOUCHER_SPENT),
    **{
        f"pm_card_{brand}chargeDeclined{name}": Method(last4=last4, decline=decline)
        for name, (last4, decline) in _DECLINES.items()
        for brand in ("", "visa_")
    },
}

_CARD_NUMBER = re.compile(r"\d(?:[ -]?\d){11,18}")


def find_method(token: str) -> Method:
    """Return what `token` does. Raises ApiError for an unknown token and for a raw card number."""
    if _CARD_NUMBER.fullmatch(token):
        raise raw_card_number()
    if token.removeprefix(FAULT_PREFIX) in TOKEN_FAULTS:
        return _METHODS["pm_card_visa"]
    try:
        return _METHODS[token]
    except KeyError:
        raise missing_resource(kind="PaymentMethod", id=token, param="payment_method", status=400) from None


def raw_card_number() -> ApiError:
    """The refusal of card data: they must not pass through a merchant's server."""
    return ApiError(
        status=402,
        type="invalid_request_error",
        message="Sending credit card numbers directly to the Stripe API is generally unsafe. We suggest you"
        " use test tokens that map to the test card you are using, see https://stripe.com/docs/testing.",
    )
