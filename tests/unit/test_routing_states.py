import pytest

from resilience.postgres.newest import newest
from resilience.routing.states import PrimaryState, ReplicaState, has_diverged, lag_s, next_milestone
from resilience.routing.tokens import NEVER_REPLAYED, CausalityToken
from resilience.routing.watcher import LAG_S_MAX, STATE_AGE_S_MAX, Watcher


@pytest.fixture(autouse=True)
def no_cluster_was_seen():
    newest.forget()
    yield
    newest.forget()


def _primary(position: int, *, at: float = 0.0, timeline: int = 1) -> PrimaryState:
    return PrimaryState(timeline=timeline, position=position, seen_at=at)


@pytest.mark.parametrize(
    ("token", "replayed"),
    [
        (CausalityToken(timeline=1, position=99), True),
        (CausalityToken(timeline=1, position=100), True),
        (CausalityToken(timeline=1, position=101), False),
        (CausalityToken(timeline=2, position=1), False),
        (NEVER_REPLAYED, False),
    ],
)
def test_a_replica_has_replayed_a_token_at_or_below_its_position_on_its_timeline(token, replayed):
    replica = ReplicaState(timeline=1, position=100, seen_at=0.0)

    assert replica.has_replayed(token) is replayed


def test_a_milestone_stays_until_it_is_reached():
    milestone = _primary(100, at=0.0)

    kept = next_milestone(milestone, primary=_primary(500, at=3.0), replayed=99)
    reached = next_milestone(milestone, primary=_primary(500, at=3.0), replayed=100)

    assert kept == milestone
    assert reached == _primary(500, at=3.0)


def test_a_promotion_begins_a_new_milestone():
    newest = _primary(50, timeline=2)

    assert next_milestone(_primary(100), primary=newest, replayed=10) == newest


def test_lag_is_the_age_of_the_milestone_and_stands_still_while_the_primary_is_away():
    milestone, last_seen = _primary(100, at=1.0), _primary(500, at=6.0)

    assert lag_s(milestone, primary=last_seen, replayed=99) == 5.0
    assert lag_s(milestone, primary=last_seen, replayed=100) == 0.0
    assert lag_s(None, primary=None, replayed=0) == 0.0


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_replica_is_usable_while_it_was_seen_lately():
    clock = _Clock()
    watcher = Watcher(monotonic=clock)
    watcher.see_replica(1, 100, 0.0)

    clock.now = STATE_AGE_S_MAX
    assert watcher.replica_state() == ReplicaState(timeline=1, position=100, seen_at=0.0)
    clock.now = STATE_AGE_S_MAX + 0.001
    assert watcher.replica_state() is None


def test_the_primary_is_up_while_it_was_seen_lately():
    clock = _Clock()
    watcher = Watcher(monotonic=clock)

    assert watcher.primary_state() is None
    watcher.see_primary(1, 100, 0.0)
    assert watcher.primary_state() == _primary(100)
    clock.now = STATE_AGE_S_MAX + 0.001
    assert watcher.primary_state() is None


def test_a_replica_that_failed_is_left_out_until_it_is_seen_again():
    watcher = Watcher(monotonic=_Clock())
    watcher.see_replica(1, 100, 0.0)

    watcher.leave_replica_out()
    assert watcher.replica_state() is None
    watcher.see_replica(1, 101, 0.0)
    assert watcher.replica_state() == ReplicaState(timeline=1, position=101, seen_at=0.0)


def test_a_replica_that_stands_still_behind_a_living_primary_is_left_out():
    clock = _Clock()
    watcher = Watcher(monotonic=clock)
    watcher.see_primary(1, 200, 0.0)
    watcher.see_replica(1, 100, 0.0)

    clock.now = LAG_S_MAX
    watcher.see_primary(1, 900, clock.now)
    watcher.see_replica(1, 100, clock.now)
    at_the_limit = watcher.replica_state()
    clock.now = LAG_S_MAX + 0.25
    watcher.see_primary(1, 900, clock.now)
    watcher.see_replica(1, 100, clock.now)

    assert at_the_limit is not None
    assert at_the_limit.lag_s == LAG_S_MAX
    assert watcher.replica_state() is None


def test_a_replica_behind_a_dead_primary_keeps_serving():
    clock = _Clock()
    watcher = Watcher(monotonic=clock)
    watcher.see_primary(1, 200, 0.0)

    clock.now = 10 * LAG_S_MAX
    watcher.see_replica(1, 100, clock.now)

    assert watcher.replica_state() is not None


def test_a_replica_of_a_history_that_has_ended_is_left_out_however_far_it_is():
    watcher = Watcher(monotonic=_Clock())
    watcher.see_replica(1, 900, 0.0)
    watcher.see_primary(2, 100, 0.0)

    assert watcher.replica_state() is None
    watcher.see_replica(2, 100, 0.0)
    assert watcher.replica_state() == ReplicaState(timeline=2, position=100, seen_at=0.0)
    assert not has_diverged(ReplicaState(3, 1, 0.0), primary=_primary(100, timeline=2))


def test_a_primary_of_the_past_is_not_believed():
    watcher = Watcher(monotonic=_Clock())
    watcher.see_primary(2, 100, 0.0)

    watcher.see_primary(1, 900, 0.0)

    assert watcher.primary_state() == _primary(100, timeline=2)


def test_a_server_that_is_not_what_it_should_be_is_no_sight():
    watcher = Watcher(monotonic=_Clock())
    watcher.answer("replica", [1, 100], 0.0)
    watcher.answer("default", [1, 200], 0.0)

    watcher.answer("replica", None, 0.0)
    watcher.answer("default", None, 0.0)

    assert watcher.replica_state() is None
    # It restarts in 0.3 s; until its state is old, it counts as there.
    assert watcher.primary_state() == _primary(200)
