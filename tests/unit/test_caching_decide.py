"""What a reader does with what it found: every decision, at and around every bound."""

import json
import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.caching.decide import Decision, decide, may_stand_in
from resilience.caching.envelope import Envelope, Stamp, envelope_of, stamp_of_text
from resilience.caching.lifetime import Lifetime

SEEN = Stamp(1, 100)
stamps = st.builds(Stamp, st.integers(1, 2**32 - 1), st.integers(0, 2**64 - 1))
moments = st.floats(0, 4e9, allow_nan=False).map(lambda moment: round(moment, 3))


def envelope(**changes: object) -> Envelope:
    kept = Envelope(
        body=b"{}", created=0.0, cost_s=0.1, soft=10.0, grace=20.0, hard=60.0, version=1, stamp=SEEN
    )
    return kept._replace(**changes)  # type: ignore[arg-type]


def decided(found: Envelope | None, **changes: object) -> Decision:
    asked = {"is_leased": False, "needed": SEEN, "version": 1, "now": 5.0, "chance": 1.0, **changes}
    return decide(found, **asked)  # type: ignore[arg-type]


class TestByTime:
    @pytest.mark.parametrize(
        ("now", "free", "leased"),
        [
            (0.0, "fresh", "fresh"),
            (9.999, "fresh", "fresh"),
            (10.0, "stale", "refreshing"),
            (19.999, "stale", "refreshing"),
            (20.0, "miss", "wait"),
            (60.0, "miss", "wait"),
        ],
    )
    def test_what_is_done_changes_at_each_bound(self, now: float, free: str, leased: str) -> None:
        assert decided(envelope(), now=now) == free
        assert decided(envelope(), now=now, is_leased=True) == leased

    def test_nothing_found_is_a_miss_for_one_and_a_wait_for_the_others(self) -> None:
        assert decided(None) == Decision.MISS
        assert decided(None, is_leased=True) == Decision.WAIT

    @pytest.mark.parametrize(("now", "stands_in"), [(59.999, True), (60.0, False)])
    def test_until_its_hard_end_a_value_stands_in_for_the_source(self, now: float, stands_in: bool) -> None:
        assert may_stand_in(envelope(), needed=SEEN, version=1, now=now) is stands_in
        assert not may_stand_in(None, needed=SEEN, version=1, now=now)


class TestByHistory:
    @pytest.mark.parametrize("needed", [Stamp(1, 101), Stamp(2, 0)])
    def test_a_value_that_has_seen_too_little_is_none(self, needed: Stamp) -> None:
        assert decided(envelope(), needed=needed) == Decision.MISS
        assert not may_stand_in(envelope(), needed=needed, version=1, now=5.0)

    @pytest.mark.parametrize("needed", [Stamp(0, 0), Stamp(1, 99), Stamp(1, 100)])
    def test_one_that_has_seen_as_much_is_served(self, needed: Stamp) -> None:
        assert decided(envelope(), needed=needed) == Decision.FRESH

    def test_a_later_timeline_has_seen_the_earlier(self) -> None:
        assert decided(envelope(stamp=Stamp(2, 1)), needed=Stamp(1, 500)) == Decision.FRESH

    def test_a_value_of_another_version_is_none(self) -> None:
        assert decided(envelope(version=2)) == Decision.MISS


class TestPassing:
    @pytest.mark.parametrize(("now", "decision"), [(5.0, "bypass"), (19.9, "bypass"), (20.0, "miss")])
    def test_what_must_not_be_kept_is_loaded_by_everybody_for_themselves(
        self, now: float, decision: str
    ) -> None:
        assert decided(envelope(passes=True), now=now) == decision
        assert not may_stand_in(envelope(passes=True), needed=SEEN, version=1, now=now)

    def test_it_says_so_when_it_is_read_again(self) -> None:
        kept = envelope_of(envelope(passes=True).facts(), b"")

        assert kept == envelope(passes=True, body=b"")


class TestEarly:
    def test_the_chance_decides_in_proportion_to_the_cost(self) -> None:
        # One second before the end, at a cost of 0.1 s: early below e^-10.
        bound = math.exp(-10)

        assert decided(envelope(), now=9.0, chance=bound * 0.99) == Decision.EARLY
        assert decided(envelope(), now=9.0, chance=bound * 1.01) == Decision.FRESH
        assert decided(envelope(cost_s=1.0), now=9.0, chance=0.36) == Decision.EARLY

    def test_nobody_refreshes_early_what_somebody_refreshes(self) -> None:
        assert decided(envelope(), now=9.0, chance=1e-9, is_leased=True) == Decision.FRESH

    @given(now=st.floats(0, 9.99), chance=st.floats(1e-300, 1.0))
    def test_a_fresh_value_is_served_whatever_the_chance(self, now: float, chance: float) -> None:
        assert decided(envelope(), now=now, chance=chance) in {Decision.FRESH, Decision.EARLY}


class TestKept:
    @given(st.none() | st.binary(), moments, moments, moments, moments, stamps)
    def test_what_is_written_is_read(
        self, body: bytes | None, created: float, soft: float, grace: float, hard: float, stamp: Stamp
    ) -> None:
        kept = Envelope(
            body=body,
            created=created,
            cost_s=0.25,
            soft=soft,
            grace=grace,
            hard=hard,
            version=3,
            stamp=stamp,
        )

        assert envelope_of(kept.facts(), body or b"") == kept

    @pytest.mark.parametrize("alien", [b"", b"{}", b"[1]", b'["1",1,1,1,1,1,1,1,1]', b"\xff", b"null"])
    def test_what_somebody_else_wrote_is_no_entry(self, alien: bytes) -> None:
        assert envelope_of(alien, b"") is None

    def test_a_pickle_is_never_opened(self) -> None:
        assert envelope_of(pickle.dumps([1] * 9), b"") is None
        json.loads(envelope().facts())

    @given(stamps, stamps)
    def test_stamps_sort_as_text_as_they_sort_as_pairs(self, one: Stamp, other: Stamp) -> None:
        assert (one.to_text() < other.to_text()) == (one < other)
        assert stamp_of_text(one.to_text()) == one

    @pytest.mark.parametrize("text", ["", "1-0/0", "x" * 30])
    def test_text_that_is_no_stamp_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="not a stamp"):
            stamp_of_text(text)


class TestLifetime:
    @given(st.floats(0, 1))
    def test_it_varies_by_a_tenth(self, chance: float) -> None:
        varied = Lifetime(10, 20, 60).jittered(chance=chance)

        assert 9 <= varied.soft_s <= 11
        assert varied.hard_s / varied.soft_s == pytest.approx(6)

    @pytest.mark.parametrize("times", [(0, 1, 1), (2, 1, 3), (1, 3, 2)])
    def test_times_in_another_order_are_refused(self, times: tuple[float, float, float]) -> None:
        with pytest.raises(ValueError, match="soft_s <= grace_s"):
            Lifetime(*times)
