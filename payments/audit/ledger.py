"""The promises of docs/ledger.md, as `payments.ledger.verify` doubts them, in one pass for all."""

from collections.abc import Callable

from payments.ledger.findings import Finding
from payments.ledger.verify import verify
from resilience.audit import Check, Findings, Kind, Moment, Violation, register


def _verified() -> list[Finding]:
    return verify()


def _promise(check_id: str) -> Callable[[Moment], Findings]:
    def find(moment: Moment) -> Findings:
        findings = [finding for finding in moment.once(_verified) if finding.check == check_id]
        return Findings.of(Violation(finding.message, finding.rows) for finding in findings)

    return find


register(
    *(
        Check(check_id, title, Kind.SAFETY, _promise(check_id))
        for check_id, title in {
            "L1": "Every booking balances",
            "L2": "All balances sum to zero",
            "L4": "What is booked stays as it is",
            "L5": "Payments and bookings name the same amounts",
            "L6": "Stored balances are the sum of the entries",
            "L7": "No account is below its floor",
            "L8": "A correction is its original turned round",
        }.items()
    )
)
