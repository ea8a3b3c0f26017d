"""Flags on a real database: operators set them, processes see them, a guard turns one off."""

import json
from collections.abc import Iterator
from datetime import date
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from waffle import get_waffle_flag_model, get_waffle_switch_model

from config.stack.servers import PRIMARY, REDIS
from orders.errors import OrderIntakePausedError
from orders.flags import ORDER_INTAKE
from orders.models import Order
from payments.flags import CAPTURE, FAILOVER
from payments.gateways import registry
from payments.gateways.base import Authorize, Capture
from payments.models import Operation
from payments.states import OperationKind, Phase
from payments.testing import FakeGateway
from payments.testing import Trouble as FakeTrouble
from resilience import pulse
from resilience.checks.flags import check_rows
from resilience.clock import now
from resilience.flags import Flag, current, declaration
from resilience.flags.exposures import _counts
from resilience.flags.look import look
from resilience.flags.models import FlagChange, FlagExposure, FlagGuard
from resilience.flags.snapshot import SNAPSHOT_SQL, read_snapshot
from resilience.flags.tasks import guard_flags
from resilience.flags.testing import held
from tests.harness import Harness
from tests.orders_kit import carry_once, carry_to_the_end, place, stock
from tests.processes import frozen, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def flag(monkeypatch: pytest.MonkeyPatch) -> Iterator[Flag]:
    monkeypatch.setattr(declaration, "_declared", dict(declaration._declared))
    yield Flag("try-it", "tests", "a trial", safe=False, default=False, remove_by=date(2099, 1, 1))
    FlagExposure.objects.all().delete()
    FlagGuard.objects.all().delete()


@pytest.fixture(autouse=True)
def _pulse() -> Iterator[None]:
    pulse.ensure_running()
    wait_until(lambda: current() is not None)
    yield
    get_waffle_flag_model().objects.all().delete()
    get_waffle_switch_model().objects.all().delete()
    wait_until(lambda: not current().names)


@pytest.fixture
def fake() -> Iterator[FakeGateway]:
    one = FakeGateway(name=registry.gateway_names()[0])
    registry.install(one)
    yield one
    registry.reset()


def _set(name: str, value: str) -> None:
    call_command("flags", "set", name, value, "--reason", "a test", "--operator", "ada", stdout=StringIO())


def _share_out(flag: Flag, percent: str) -> None:
    _set(flag.name, percent)
    wait_until(lambda: flag.name in current().flags and flag.expose(unit="u").version)


def _wait_for_units(units: int) -> None:
    wait_until(lambda: sum(FlagExposure.objects.values_list("units", flat=True)) == units)


def test_a_change_is_seen_and_written_down():
    _set("capture", "off")

    wait_until(lambda: not CAPTURE.is_on())
    change = FlagChange.objects.get()
    assert (change.name, change.change, change.by, change.reason) == (
        "capture",
        "set to off",
        "ada",
        "a test",
    )


def test_sql_beside_the_models_is_seen_too():
    get_waffle_switch_model().objects.create(name="capture", active=True)
    get_waffle_switch_model().objects.filter(name="capture").update(active=False)
    wait_until(lambda: not CAPTURE.is_on())

    get_waffle_switch_model().objects.all().delete()

    wait_until(CAPTURE.is_on)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("no-such", "on"), "There is no flag no-such"),
        (("capture", "20%"), "cannot be"),
        (("try-it", "maybe"), "neither on, off nor a percentage"),
        (("try-it", "100"), "from 0 to 99.9"),
        (("try-it", "20.55"), "one decimal"),
        (("capture",), "Name the flag"),
    ],
)
def test_a_wrong_wish_says_what_to_do(flag: Flag, arguments: tuple[str, ...], why: str):
    with pytest.raises(CommandError, match=why):
        call_command("flags", "set", *arguments, "--reason", "a test")

    assert not FlagChange.objects.exists()
    assert not get_waffle_switch_model().objects.exists()


def test_a_change_needs_a_reason():
    with pytest.raises(CommandError, match="Say why"):
        call_command("flags", "set", "capture", "off")


def test_the_list_shows_every_name_and_how_it_stands(flag: Flag):
    _set("capture", "off")
    wait_until(lambda: not CAPTURE.is_on())
    out = StringIO()

    call_command("flags", "list", stdout=out)

    assert "capture  switch  off  (payments)" in out.getvalue()
    assert "order-intake  switch  on (default)  (orders)" in out.getvalue()
    assert "try-it  flag  off (default)  (tests, until 2099-01-01)" in out.getvalue()


def test_a_name_that_nobody_reads_is_noticed():
    get_waffle_switch_model().objects.create(name="forgotten", active=True)

    assert [message.id for message in check_rows(None, databases=["default"])] == ["holdfast.W022"]
    assert check_rows(None) == []


@pytest.mark.parametrize("server", [PRIMARY, REDIS])
def test_what_was_set_holds_while_a_server_is_frozen(harness: Harness, server: str):
    _set("capture", "off")
    wait_until(lambda: not CAPTURE.is_on())
    with frozen(harness.supervisor.pids()[server]):
        name = "default" if server == PRIMARY else "redis"
        wait_until(lambda: pulse.age_s(name) > 1.5)
        assert not CAPTURE.is_on()
        assert ORDER_INTAKE.is_on()


def test_with_intake_off_nothing_is_accepted():
    stock(5)

    with held(ORDER_INTAKE, on=False), pytest.raises(OrderIntakePausedError) as refused:
        place()

    assert refused.value.retryable
    assert refused.value.facts["retry_after_s"] == 30
    assert not Order.objects.exists()


def test_with_capture_off_an_order_waits_authorized_and_goes_on_later():
    stock(5)
    order_id = place()
    with held(CAPTURE, on=False):
        carry_once([order_id])
        kinds = list(Operation.objects.filter(payment__order_id=order_id).values_list("kind", flat=True))
        assert kinds == [OperationKind.AUTHORIZE]

    carry_to_the_end([order_id], within_s=30)

    assert Order.objects.get().status == "confirmed"


def test_with_capture_off_a_capture_that_never_left_is_not_sent_either(fake: FakeGateway):
    """A gateway that was down when the switch was thrown must not be sent what waited for it."""
    stock(5)
    order_id = place()
    fake.plan(Capture, FakeTrouble.NOT_SENT)
    carry_once([order_id])
    captures = Operation.objects.filter(payment__order_id=order_id, kind=OperationKind.CAPTURE)
    assert [capture.phase for capture in captures] == [Phase.PREPARED]

    with held(CAPTURE, on=False):
        for _round in range(3):
            carry_once([order_id])

        assert [type(request) for request in fake.requests] == [Authorize, Capture]
        assert [capture.phase for capture in captures.all()] == [Phase.PREPARED]

    carry_to_the_end([order_id], within_s=30)

    assert Order.objects.get().status == "confirmed"
    assert [type(request) for request in fake.requests] == [Authorize, Capture, Capture]
    assert captures.count() == 1


def test_a_harmful_flag_is_turned_off_and_says_why(flag: Flag):
    _share_out(flag, "20")
    for batch in range(2):
        for number in range(2_000):
            exposure = flag.expose(unit=f"order-{number}")
            exposure.done(failed=exposure.is_on and number % 10 == 0, took_s=0.1)
        _wait_for_units(2_000 * (batch + 1))
        assert flag.expose(unit="order-1").version, "not before there is proof"
        guard_flags()

    wait_until(lambda: not flag.is_on(unit="order-1") and current().flags["try-it"].everyone is False)
    change = FlagChange.objects.get(by="guard")
    assert change.change == "turned off"
    assert "units with it were failed, 0.0% of" in change.reason
    assert change.evidence["measure"] == "failed"
    assert look(now=now()) == [], "what is off is not looked at"


def test_a_version_is_the_same_in_every_zone(flag: Flag):
    _share_out(flag, "50")

    versions = set()
    with connection.cursor() as cursor:
        for zone in ("Asia/Tokyo", "UTC"):
            cursor.execute("SET timezone TO %s", [zone])
            cursor.execute(SNAPSHOT_SQL, [""])
            versions.add(read_snapshot(json.loads(cursor.fetchone()[0])).flags[flag.name].version)

    assert versions == {flag.expose(unit="u").version}


def test_a_slow_flag_is_turned_off_too(flag: Flag):
    _share_out(flag, "20")
    convicted = []
    for batch in range(2):
        for number in range(2_000):
            exposure = flag.expose(unit=f"order-{number}")
            exposure.done(failed=False, took_s=2.0 if exposure.is_on and number % 10 == 0 else 0.1)
        _wait_for_units(2_000 * (batch + 1))
        convicted += look(now=now())

    assert [(one.flag, one.measure) for one in convicted] == [("try-it", "slow")]


def test_a_harmless_flag_stays_and_a_new_share_begins_anew(flag: Flag):
    _share_out(flag, "20")
    for number in range(2_000):
        flag.expose(unit=f"order-{number}").done(failed=number % 20 == 0, took_s=0.1)
    _wait_for_units(2_000)
    assert look(now=now()) == []
    before = FlagGuard.objects.get(measure="failed")

    _share_out(flag, "50")
    wait_until(lambda: current().flags["try-it"].per_mille == 500)
    assert look(now=now()) == []

    after = FlagGuard.objects.get(measure="failed")
    assert sum(before.seen[name] for name in ("on", "off")) == 2_000
    assert (after.version != before.version, after.seen["on"], after.log_e) == (True, 0, 0.0)


def test_counts_outlive_a_write_that_was_not_confirmed(flag: Flag):
    _share_out(flag, "50")
    flag.expose(unit="u").done(failed=True, took_s=0.1)
    _counts._written_at = -10.0
    first = _counts.write()
    _counts._written_at = -10.0

    assert first is not None
    assert _counts.write() == first
    assert FAILOVER.is_on()
