"""Over orders that ended as they should, every check passes."""

from resilience.audit import Verdict, checks
from tests.audit_kit import World, audit, failed

IDS = (
    [f"B{number}" for number in range(1, 7)]
    + [f"C{number}" for number in range(1, 12)]
    + ["I1", "I2", "I3"]
    + [f"L{number}" for number in range(1, 9)]
    + [f"O{number}" for number in range(1, 9)]
)


def test_the_checks_are_these():
    assert [check.id for check in checks()] == IDS


def test_where_every_promise_was_kept_every_check_passes(world: World):
    report = audit()

    assert failed(report) == {}
    assert report.verdict is Verdict.PASS
    assert report.under_way == {"sagas": 0}
