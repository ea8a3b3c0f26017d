"""Reserve an order's money, and show on the order when its payer has to act."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from orders import store
from payments.public import AuthorizePayments
from resilience.saga.definition import Call, Run
from resilience.saga.outcomes import Outcome, Waiting


class AuthorizeOrderPayments:
    """The payments context's step, with the order's status kept beside it."""

    def __init__(self) -> None:
        self._payments = AuthorizePayments()

    def prepare(self, runs: Sequence[Run]) -> Mapping[UUID, Sequence[Call]]:
        """Write the intents of the order's payments."""
        return self._payments.prepare(runs)

    def record(self, runs: Sequence[Run], answers: Mapping[UUID, Sequence[object]]) -> Mapping[UUID, Outcome]:
        """Write what the gateway said, and say on the order that it waits for its payer."""
        outcomes = self._payments.record(runs, answers)
        store.require_action([run.key for run in runs if isinstance(outcomes[run.id], Waiting)])
        return outcomes

    def unsettled(self, run: Run) -> str:
        """Say why a person may not take this as done."""
        return self._payments.unsettled(run)
