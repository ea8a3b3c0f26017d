"""One key's bucket in a process, and several processes that settle with the fleet's."""

import math

import pytest

from resilience.limits.bucket import Allowance, Bucket, Limit, Report
from resilience.limits.throttling import rate_limit_headers

LIMIT = Limit(10.0, 20)


def drain(bucket: Bucket, *, now_s: float) -> int:
    """Take all that there is, and return how much that was."""
    taken = 0
    while bucket.take(now_s=now_s).is_allowed:
        taken += 1
    return taken


def test_a_burst_passes_and_then_the_rate():
    bucket = Bucket(LIMIT, now_s=0.0)

    assert drain(bucket, now_s=0.0) == 20
    assert drain(bucket, now_s=1.0) == 10
    assert drain(bucket, now_s=1.05) == 0
    assert drain(bucket, now_s=1.1) == 1
    assert drain(bucket, now_s=1000.0) == 20


def test_a_refusal_says_when_the_next_one_passes():
    bucket = Bucket(LIMIT, now_s=0.0)
    drain(bucket, now_s=0.0)

    refused = bucket.take(now_s=0.03)

    assert refused == Allowance(LIMIT, False, 0, pytest.approx(1.97), pytest.approx(0.07))
    assert not bucket.take(now_s=0.03 + 0.06).is_allowed
    assert bucket.take(now_s=0.03 + 0.0701).is_allowed


def test_what_was_spent_since_the_report_comes_off():
    bucket = Bucket(LIMIT, now_s=0.0)
    for _ in range(5):
        bucket.take(now_s=0.0)
    assert bucket.report() == Report(total=5, settled=0)
    bucket.take(now_s=0.0)

    bucket.settle(left=15.0, sharers=1, now_s=0.0)

    assert drain(bucket, now_s=0.0) == 14
    assert bucket.report() == Report(total=20, settled=5)


def test_a_sharer_has_its_part_of_what_is_left_and_of_what_comes():
    bucket = Bucket(LIMIT, now_s=0.0)
    bucket.report()
    bucket.settle(left=12.0, sharers=4, now_s=0.0)

    assert drain(bucket, now_s=0.0) == 3
    assert drain(bucket, now_s=4.0) == 5  # a quarter of the burst at most
    assert bucket.take(now_s=4.0).retry_after_s == pytest.approx(0.4)


def test_a_debt_is_paid_at_the_full_rate_and_then_shared():
    bucket = Bucket(LIMIT, now_s=0.0)
    bucket.report()
    bucket.settle(left=-10.0, sharers=2, now_s=0.0)

    refused = bucket.take(now_s=0.0)

    assert refused.retry_after_s == pytest.approx(1.0 + 0.2)
    assert refused.full_in_s == pytest.approx(3.0)
    assert not bucket.take(now_s=1.19).is_allowed
    assert bucket.take(now_s=1.21).is_allowed


def test_a_report_that_was_not_answered_is_told_again():
    bucket = Bucket(LIMIT, now_s=0.0)
    bucket.take(now_s=0.0)
    assert bucket.report() == Report(1, 0)
    bucket.take(now_s=0.0)

    assert bucket.report() == Report(2, 0)


def test_what_was_spent_alone_is_written_off():
    bucket = Bucket(LIMIT, now_s=0.0)
    drain(bucket, now_s=0.0)

    bucket.write_off()

    assert bucket.report() == Report(20, 20)
    assert bucket.is_settled()


def test_a_bucket_may_be_forgotten_when_it_is_full_and_settled():
    bucket = Bucket(LIMIT, now_s=0.0)
    bucket.take(now_s=0.0)
    assert not bucket.is_full(now_s=100.0)
    bucket.report()
    bucket.settle(left=19.0, sharers=1, now_s=100.0)

    assert not bucket.is_full(now_s=100.05)
    assert bucket.is_full(now_s=100.11)


class Fleet:
    """The fleet's bucket, as the script in Redis keeps it."""

    def __init__(self, limit: Limit) -> None:
        self.limit, self.left, self.at_s = limit, float(limit.burst), 0.0

    def settle(self, bucket: Bucket, *, sharers: int, now_s: float) -> None:
        report = bucket.report()
        passed_s, burst = now_s - self.at_s, self.limit.burst
        self.left = min(burst, self.left + max(0.0, passed_s - 0.25) * self.limit.per_s)
        came = min(passed_s, 0.25) * self.limit.per_s
        self.left = min(burst, self.left + came - (report.total - report.settled))
        self.at_s = now_s
        bucket.settle(left=self.left, sharers=sharers, now_s=now_s)


@pytest.mark.parametrize("processes", [1, 2, 8, 40])
@pytest.mark.parametrize("limit", [Limit(100.0, 200), Limit(20.0, 2), Limit(1000.0, 50), Limit(2.0, 1)])
def test_whatever_the_processes_the_fleet_gives_the_rate(processes: int, limit: Limit):
    fleet = Fleet(limit)
    buckets = [Bucket(limit, now_s=0.0) for _ in range(processes)]
    given: list[float] = []

    for step in range(100 * 50):
        now_s = step / 50
        for number, bucket in enumerate(buckets):
            given += [now_s] * drain(bucket, now_s=now_s)
            if (step + number) % 12 == 0:  # a beat about every 250 ms, at different times
                fleet.settle(bucket, sharers=processes, now_s=now_s)

    # At first each gives the burst that it believes in, never more; that is paid back, at the rate.
    # A process may give one more each beat than there is: the last token is everybody's.
    beat = limit.per_s * 0.25 + processes
    paid_back_s = processes * limit.burst / limit.per_s + processes / limit.per_s
    assert sum(at < 0.02 for at in given) <= processes * limit.burst
    assert len(given) <= max(limit.burst + limit.per_s * 100, limit.burst * processes) + beat
    if paid_back_s < 50:
        # Few tokens between many are given with gaps: the small limits here lose up to a quarter.
        later = sum(at >= 50 for at in given)
        assert 0.75 * limit.per_s * 50 <= later <= limit.per_s * 50 + limit.burst + beat


@pytest.mark.parametrize("limit", [Limit(100.0, 200), Limit(2.0, 4)])
def test_a_client_at_one_of_many_processes_has_all_of_its_rate(limit: Limit):
    fleet = Fleet(limit)
    bucket = Bucket(limit, now_s=0.0)
    given = 0

    for step in range(100 * 50):
        now_s = step / 50
        given += drain(bucket, now_s=now_s)
        if step % 12 == 0:
            fleet.settle(bucket, sharers=1, now_s=now_s)

    assert 0.95 * limit.per_s * 100 <= given <= limit.burst + limit.per_s * 100.25


def test_the_headers_say_what_is_allowed_and_what_is_left():
    bucket = Bucket(Limit(3.0, 10), now_s=0.0)
    for _ in range(6):
        bucket.take(now_s=0.0)

    assert rate_limit_headers(bucket.take(now_s=0.0)) == {
        "RateLimit-Policy": '"key";q=10;w=4',  # 10 / 3 per s, rounded up
        "RateLimit": '"key";r=3;t=3',  # 7 missing, at 3 a second
    }


def test_a_full_bucket_has_nothing_to_wait_for():
    allowance = Allowance(Limit(100.0, 1), is_allowed=True, remaining=0, full_in_s=0.01, retry_after_s=0.0)

    assert rate_limit_headers(allowance) == {
        "RateLimit-Policy": '"key";q=1;w=1',
        "RateLimit": '"key";r=0;t=1',
    }


@pytest.mark.parametrize(
    ("per_s", "burst"), [(0.0, 1), (-1.0, 1), (math.nan, 1), (math.inf, 1), (1.0, 0), (1.0, -5)]
)
def test_a_limit_that_lets_nothing_pass_is_refused(per_s: float, burst: int):
    with pytest.raises(ValueError, match="a limit lets"):
        Limit(per_s, burst)
