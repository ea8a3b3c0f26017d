"""One pass over an account: pages of its list, then what of ours it did not mention, then old differences.

Each page commits by itself, with the run's counts and its lease: whatever happens later, it stays.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

from django.db import transaction

from payments.gateways.base import Gateway, StatementLine
from payments.ledger import facts as ledger
from payments.ledger.posting import post
from payments.reconciliation.books import (
    FIRST,
    MENTIONED,
    Place,
    Unmentioned,
    books_of,
    unmentioned,
)
from payments.reconciliation.concluding import conclude, conclude_missing
from payments.reconciliation.looking import Looks
from payments.reconciliation.matching import Differs, Matched, NeedsLook, UnderWay, Verdict, judge, money
from payments.reconciliation.tally import Tally
from payments.states import ExceptionKind
from payments.store import Difference, open_exceptions
from payments.store.exceptions import resolve_unseen, seen_lately, unseen_charges
from payments.store.runs import note_facts, write_run

# As many as Stripe gives at once: what was read is judged before more is read. Ten times as many lines would
# be faster by a tenth, and hold rows for longer.
PAGE_LINES = 100
# One statement of some milliseconds; of an account whose list is empty, this many looks between two commits.
FACTS_PER_PIECE = 500
# Younger facts of ours may be in no list yet: the list was read from its newest line on, a moment ago.
GRACE = timedelta(seconds=60)
# What was found so lately is not asked about again, so that a run is not spent on the differences of the
# last one. Longer, and what heals by itself stays open longer.
LOOK_AGAIN_AFTER = timedelta(minutes=10)
# Old differences that a run asks about; of more, the rest is left to the next whole pass.
REVIEWED_MAX = 500


@dataclass(frozen=True)
class _Item:
    """A line, or a fact of ours without one, with what became of it."""

    currency: str
    amount_minor: int
    verdict: Verdict


@dataclass
class Pass:
    """A pass of the run `run_id`. `begun_at` is its moment: what is newer is left to the next one."""

    gateway: Gateway
    run_id: UUID
    since: datetime | None
    begun_at: datetime
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        self._looks = Looks(self.gateway, run_id=self.run_id, now=self.begun_at)

    def read_list(self) -> None:
        """Match the gateway's list. Raises StatementUnavailableError, and as `Looks.at` does."""
        lines = self.gateway.statement(since=self.since)
        for page in _pages(lines):
            self._commit_lines(page, self._verdicts(page))

    def look_for_missing(self) -> None:
        """Find what is ours and in no line."""
        for kind in MENTIONED:
            after: Place | None = FIRST
            while after:
                page, after = self._unmentioned(kind, after)
                items = [_Item(one.currency, one.amount_minor, self._missing(one, kind)) for one in page]
                with transaction.atomic():
                    self._count(items)

    def end(self) -> None:
        """Ask about old differences that no list mentions, and resolve what was found no more."""
        name, since, begun_at = self.gateway.name, self.since, self.begun_at
        for difference in unseen_charges(name, since=since, begun_at=begun_at, limit=REVIEWED_MAX):
            looked = self._looks.at(difference.reference)
            if looked.trouble:
                open_exceptions([difference], now=self.begun_at)
            self.tally.exceptions += bool(looked.trouble or looked.contradiction)
        with transaction.atomic():
            resolve_unseen(name, since=since, begun_at=begun_at, now=begun_at)
            self._write()

    def _verdicts(self, lines: Sequence[StatementLine]) -> list[Verdict]:
        books = books_of(self.gateway.name, lines)
        verdicts = [judge(line, books) for line in lines]
        wanted = [verdict for verdict in verdicts if isinstance(verdict, NeedsLook)]
        if not wanted:
            return verdicts
        known = self._known([verdict.otherwise.reference for verdict in wanted])
        looked = {
            verdict.reference: self._looks.at(verdict.reference)
            for verdict in wanted
            if verdict.otherwise.reference not in known
        }

        def end(line: StatementLine, verdict: Verdict) -> Verdict:
            if not isinstance(verdict, NeedsLook):
                return verdict
            if verdict.otherwise.reference in known:
                return Differs(known[verdict.otherwise.reference], verdict.fact)
            if verdict.reference in looked:
                return conclude(line, verdict, looked[verdict.reference])
            return UnderWay("it changed while the gateway was asked", verdict.fact)

        books = books_of(self.gateway.name, lines)
        return [end(line, judge(line, books)) for line in lines]

    def _missing(self, ours: Unmentioned, kind: str) -> UnderWay | Differs:
        if ours.is_under_way:
            return UnderWay("operations of the payment are not settled")
        known = self._known([ours.reference or str(ours.id)])
        if known:
            return Differs(next(iter(known.values())))
        return conclude_missing(
            ours,
            kind,
            self._looks.at(ours.charge),
            gateway=self.gateway.name,
            is_whole_list=self.since is None,
            now=self.begun_at,
        )

    def _unmentioned(self, kind: str, after: Place) -> tuple[list[Unmentioned], Place | None]:
        return unmentioned(
            kind,
            gateway=self.gateway.name,
            run_id=self.run_id,
            since=self.since,
            before=self.begun_at - GRACE,
            after=after,
            limit=FACTS_PER_PIECE,
        )

    def _known(self, references: Sequence[str]) -> dict[str, Difference]:
        return seen_lately(self.gateway.name, references, now=self.begun_at, within=LOOK_AGAIN_AFTER)

    @transaction.atomic
    def _commit_lines(self, lines: Sequence[StatementLine], verdicts: Sequence[Verdict]) -> None:
        verdicts = self._each_fact_once(lines, verdicts)
        fees = [
            ledger.fee(
                line_id=line.id,
                payment_id=verdict.charge.id if verdict.charge else None,
                order_id=verdict.charge.order_id if verdict.charge else None,
                gateway=self.gateway.name,
                amount_minor=verdict.fee_minor,
                currency=line.currency,
                occurred_at=line.created_at,
            )
            for line, verdict in zip(lines, verdicts, strict=True)
            if isinstance(verdict, Matched) and verdict.fee_minor
        ]
        if fees:
            post(fees, now=self.begun_at)
        self.tally.lines += len(lines)
        self._count(
            [
                _Item(line.currency, line.amount_minor, verdict)
                for line, verdict in zip(lines, verdicts, strict=True)
            ]
        )

    def _each_fact_once(self, lines: Sequence[StatementLine], verdicts: Sequence[Verdict]) -> list[Verdict]:
        """Return the verdicts; of two lines about one fact of ours, only the first is that fact."""
        first = set(note_facts(self.run_id, sorted({each.fact for each in verdicts if each.fact})))
        once: list[Verdict] = []
        for line, verdict in zip(lines, verdicts, strict=True):
            fact = verdict.fact
            if fact and fact not in first:
                verdict = Differs(_second_line(self.gateway.name, line, fact))
            first.discard(fact)
            once.append(verdict)
        return once

    def _count(self, items: Sequence[_Item]) -> None:
        found = [item.verdict.difference for item in items if isinstance(item.verdict, Differs)]
        is_open = open_exceptions(found, now=self.begun_at)
        for item in items:
            match item.verdict:
                case Matched():
                    self.tally.matched += 1
                case UnderWay():
                    self.tally.under_way += 1
                case Differs(difference) if (difference.kind, difference.reference) in is_open:
                    self.tally.exceptions += 1
                    self.tally.add(item.currency, item.amount_minor, explained=False)
                    continue
                case Differs():
                    self.tally.accepted += 1
            self.tally.add(item.currency, item.amount_minor, explained=True)
        self._write()

    def _write(self) -> None:
        self.tally.booked = self._looks.booked
        write_run(self.run_id, **self.tally.as_columns())


def _second_line(gateway: str, line: StatementLine, fact: str) -> Difference:
    return Difference(
        gateway,
        ExceptionKind.UNKNOWN_LINE,
        line.id,
        ours=f"{fact} has a line already",
        theirs=money(line.amount_minor, line.currency),
        occurred_at=line.created_at,
    )


def _pages(lines: Iterable[StatementLine]) -> Iterator[list[StatementLine]]:
    remaining = iter(lines)
    while page := list(islice(remaining, PAGE_LINES)):
        yield page
