"""Hearing the gateways' books inside a check."""

from payments.audit.book import GatewayBook
from resilience.audit import Moment, WitnessMissingError


def whole_book(moment: Moment) -> GatewayBook:
    """Return the books of all accounts. Raises WitnessMissingError when one of them is silent.

    A comparison with half of the books would call half of the money missing.
    """
    book = moment.witness(GatewayBook)
    if book.silent:
        said = "; ".join(f"{account}: {error}" for account, error in sorted(book.silent.items()))
        raise WitnessMissingError(f"a gateway's book could not be read: {said}")
    return book
