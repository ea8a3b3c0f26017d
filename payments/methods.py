"""What a method's token says of how it pays."""

from payments.states import MethodType

# As the gateway's test tokens are called. A token of a real payer says nothing of its type, so that clients
# name the type themselves (`payments[].type`); without a name it is a card.
_PREFIXES = {f"pm_{method_type}": method_type for method_type in MethodType}


def method_type_of(*, token: str) -> MethodType:
    """Return the type that `token` names, CARD when it names none.

    >>> method_type_of(token="pm_boleto_unpaid")
    <MethodType.BOLETO: 'boleto'>
    """
    return next(
        (method_type for prefix, method_type in _PREFIXES.items() if token.startswith(prefix)),
        MethodType.CARD,
    )
