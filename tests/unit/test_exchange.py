"""What a conversation with a gateway ends in when the gateway shows nothing."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from payments.gateways import registry
from payments.gateways.base import Absent, InDoubt, Succeeded
from payments.states import OperationKind, Phase
from payments.steps.authorize_payments import authorization
from payments.steps.exchange import READS_LAG_MAX, Exchange, Mode, NeverHappened
from payments.tenders import LiveOperation
from payments.testing import FakeGateway
from resilience.clock import now
from resilience.ids import new_id
from tests.unit.situations import PENDING

NAME = "one"


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    fake = FakeGateway(name=NAME)
    registry.install(fake)
    yield fake
    registry.reset()


def looking(*, sent_ago: timedelta) -> Exchange:
    at = now() - sent_ago
    operation = LiveOperation(
        id=new_id(),
        kind=OperationKind.AUTHORIZE,
        gateway=NAME,
        key="authorize-1",
        amount_minor=PENDING.amount_minor,
        phase=Phase.IN_DOUBT,
        created_at=at,
        sent_at=at,
    )
    return Exchange(PENDING, operation, authorization(PENDING, operation.key), Mode.LOOK)


def test_an_absence_soon_after_sending_is_a_doubt_that_says_when_it_clears(gateway: FakeGateway):
    exchange = looking(sent_ago=READS_LAG_MAX / 2)

    answer = exchange().answer

    assert isinstance(answer, InDoubt)
    assert answer.clears_at is not None
    assert exchange.operation.sent_at is not None
    assert answer.clears_at > exchange.operation.sent_at + READS_LAG_MAX
    assert len(gateway.lookups) == 1


def test_an_absence_is_believed_after_one_more_long_look(gateway: FakeGateway):
    exchange = looking(sent_ago=READS_LAG_MAX + timedelta(seconds=1))

    assert isinstance(exchange().answer, NeverHappened)

    assert len(gateway.lookups) == 2


def test_what_only_the_long_look_shows_has_happened(gateway: FakeGateway):
    exchange = looking(sent_ago=READS_LAG_MAX + timedelta(seconds=1))
    made = Succeeded("pi_1", PENDING.amount_minor)
    gateway.plan_lookups(Absent(), made)

    assert exchange().answer == made


def test_a_long_look_that_fails_proves_nothing(gateway: FakeGateway):
    exchange = looking(sent_ago=READS_LAG_MAX + timedelta(seconds=1))
    gateway.plan_lookups(Absent(), InDoubt("no answer"))

    assert exchange().answer == InDoubt("no answer")
