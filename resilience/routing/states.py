"""What was last seen of each server, and the arithmetic on it. No I/O, no clock."""

from dataclasses import dataclass

from resilience.routing.tokens import CausalityToken


@dataclass(frozen=True)
class PrimaryState:
    """How far the primary had flushed its log at `seen_at` (monotonic seconds, before the question).

    `place`: the `host:port` that was asked.
    """

    timeline: int
    position: int
    seen_at: float
    place: str | None = None


@dataclass(frozen=True)
class ReplicaState:
    """How far the replica had replayed at `seen_at` (monotonic seconds, before the question).

    Replay never goes back, so the replica holds at least this much whenever it is read later.
    `lag_s`: how long the primary has been known to be ahead without the replica reaching it.
    """

    timeline: int
    position: int
    seen_at: float
    lag_s: float = 0.0
    place: str | None = None

    def has_replayed(self, token: CausalityToken) -> bool:
        """Tell whether a read here sees everything up to `token`.

        Positions of two timelines do not compare (a promotion forks the log): another timeline is "no".
        """
        return self.timeline == token.timeline and self.position >= token.position


def has_diverged(replica: ReplicaState, *, primary: PrimaryState | None) -> bool:
    """Tell whether the replica follows a history that a promotion ended: it grows staler for ever.

    A replica that is ahead saw the promotion before we did.
    """
    return primary is not None and replica.timeline < primary.timeline


def next_milestone(
    milestone: PrimaryState | None, *, primary: PrimaryState | None, replayed: int
) -> PrimaryState | None:
    """Return the position of the primary that the replica is to reach next.

    It stays until it is reached: so its age is the lag. When it was reached, or when a promotion
    made it meaningless, the newest known position takes its place.
    """
    if primary is None or milestone is None or milestone.timeline != primary.timeline:
        return primary
    return primary if replayed >= milestone.position else milestone


def lag_s(milestone: PrimaryState | None, *, primary: PrimaryState | None, replayed: int) -> float:
    """Return for how long the replica has not reached `milestone`; 0.0 when it has.

    Counted to the last sight of the primary, not to now: while the primary is away nothing is
    written, the replica grows no staler, and it is all that is left to read.
    """
    if primary is None or milestone is None or replayed >= milestone.position:
        return 0.0
    return primary.seen_at - milestone.seen_at
