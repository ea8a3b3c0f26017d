"""Reading a flag: from memory, the same for a unit everywhere, and safe while nothing is known."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest

from resilience.checks import flags as flag_checks
from resilience.flags import Flag, Sample, Switch, bucket_of, declaration, memory, pinned
from resilience.flags.snapshot import FlagRow, Snapshot
from resilience.flags.testing import held

ORDER = UUID("01a208e8-9346-7519-aa18-8d0eb1d5692f")


@pytest.fixture(autouse=True)
def _own_declarations(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(declaration, "_declared", {})
    return


def _switch(**given: object) -> Switch:
    return Switch(**{"name": "s", "owner": "o", "purpose": "p", "safe": False, "default": True, **given})


def _flag(**given: object) -> Flag:
    return Flag(
        **{
            "name": "f",
            "owner": "o",
            "purpose": "p",
            "safe": False,
            "default": False,
            "remove_by": date(2099, 1, 1),
            **given,
        }
    )


def test_before_the_first_beat_the_safe_value_counts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "current", lambda: None)

    assert _switch(safe=False, default=True).is_on() is False
    assert _switch(name="t", safe=True, default=False).is_on() is True
    assert _flag(safe=True).is_on(unit=ORDER) is True
    assert _flag(name="g", safe=True).expose(unit=ORDER).is_on is True


def test_what_operators_have_not_set_has_its_default():
    with pinned(Snapshot(version="v")):
        assert _switch(default=True).is_on() is True
        assert _flag(default=False).is_on(unit=ORDER) is False


def test_a_share_of_units_gets_it_and_always_the_same():
    units = [UUID(int=number) for number in range(10_000)]
    with pinned(Snapshot(version="v", flags={"f": FlagRow(per_mille=200)})):
        first = [_flag().is_on(unit=unit) for unit in units]
        again = [_flag().is_on(unit=unit) for unit in units]
    with pinned(Snapshot(version="w", flags={"f": FlagRow(per_mille=300)})):
        more = [_flag().is_on(unit=unit) for unit in units]

    assert first == again
    assert 1_880 < sum(first) < 2_120  # three standard deviations
    assert all(later for earlier, later in zip(first, more, strict=True) if earlier), "nobody falls out"


def test_two_flags_share_units_out_differently():
    units = [str(number) for number in range(10_000)]
    both = sum(bucket_of("f", unit) < 200 and bucket_of("g", unit) < 200 for unit in units)

    assert 340 < both < 460


def test_another_process_decides_alike():
    code = (
        "import json; from resilience.flags import bucket_of; "
        "print(json.dumps([bucket_of('f', str(n)) for n in range(50)]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", f"import django; django.setup(); {code}"],
        env={"DJANGO_SETTINGS_MODULE": "config.settings", "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(run.stdout) == [bucket_of("f", str(number)) for number in range(50)]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (FlagRow(everyone=False, staff=True, per_mille=1000), False),
        (FlagRow(everyone=True), True),
        (FlagRow(staff=True), True),
        (FlagRow(superusers=True), False),
        (FlagRow(authenticated=True), True),
        (FlagRow(users=frozenset([7])), True),
        (FlagRow(groups=frozenset([1])), True),
        (FlagRow(groups=frozenset([2])), False),
    ],
)
def test_a_user_can_be_meant(row: FlagRow, expected: bool):
    user = SimpleNamespace(pk=7, is_authenticated=True, is_staff=True, is_superuser=False)
    with pinned(Snapshot(version="v", flags={"f": row})):
        assert _flag().is_on(unit=ORDER, user=user, groups=frozenset([1])) is expected


def test_a_sample_takes_a_share():
    sample = Sample(name="s", owner="o", purpose="p", safe=False, default=False)
    with pinned(Snapshot(version="v", samples={"s": 500})):
        taken = sum(sample.is_on(unit=uuid4()) for _ in range(2_000))

    assert 900 < taken < 1_100


def test_a_test_can_hold_each_side():
    switch, flag = _switch(), _flag()
    for side in (True, False):
        with held(switch, on=side), held(flag, on=side):
            assert (switch.is_on(), flag.is_on(unit=ORDER)) == (side, side)


def test_a_name_has_one_meaning():
    _switch()
    with pytest.raises(ValueError, match="declared twice"):
        _switch(purpose="another")


def test_only_what_is_shared_out_is_counted():
    with pinned(Snapshot(version="v", flags={"f": FlagRow(everyone=True, version="x")})):
        assert _flag().expose(unit=ORDER).version == ""
    with pinned(Snapshot(version="v", flags={"f": FlagRow(per_mille=1000, version="x")})):
        assert _flag().expose(unit=ORDER).version == "x"


def test_a_flag_without_a_date_is_refused_and_an_old_one_noticed():
    _flag(remove_by=None)
    _flag(name="old", remove_by=date(2026, 1, 1))

    found = flag_checks.check_declarations(None)

    assert [(message.id, "'f'" in message.msg) for message in found] == [
        ("holdfast.E020", True),
        ("holdfast.W021", False),
    ]
