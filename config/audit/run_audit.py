"""Make an audit: hear the witnesses, then judge the checks in one snapshot."""

from collections.abc import Callable, Collection
from datetime import datetime

from config.audit.read_book import read_book
from payments.audit.book import GatewayBook
from resilience.audit import Report, checks, run_checks


def run_audit(
    *, ids: Collection[str] = (), is_quiescent: bool = False, clock: Callable[[], datetime]
) -> Report:
    """Return what the checks with these ids (all without any) say. Raises UnknownCheckError.

    Asks every gateway account for its book first, outside any transaction.
    """
    wanted = checks(ids)
    started_at = clock()
    witnesses: dict[type, object] = {GatewayBook: read_book(now=started_at)}
    return run_checks(
        wanted, witnesses=witnesses, is_quiescent=is_quiescent, started_at=started_at, clock=clock
    )
