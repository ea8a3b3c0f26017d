"""What is wrong with the ledger, as `manage.py audit` says it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing wrong. `check` is the id of the promise (docs/ledger.md); `rows` name where to look."""

    check: str
    message: str
    rows: tuple[str, ...] = ()
