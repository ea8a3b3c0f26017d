"""The breaker: its cost a call, what reaches a dead dependency, how it comes back; beside its peers."""

import contextlib
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.breaker_crew.crew import Dependency, crew
from benchmarks.breaker_crew.hot import hot_path, with_storage
from benchmarks.breaker_crew.notes import Notes, Orders
from benchmarks.tools.row import Row

WORKERS = 40
# Of the whole fleet: the research's model has 20; a busier dependency is called more before anybody can know.
CALLS_PER_S = 20.0
BUSY_CALLS_PER_S = 160.0
REACHED_MAX = 25
OPEN_S_MAX = 1.0
_LIMIT_S = 60.0
# A peer that has not opened by then lets everything through.
_PEER_LIMIT_S = 20.0


def measure(*, short: bool) -> list[Row]:
    """Return the rows; some four minutes, `short` some thirty seconds."""
    return [
        hot_path(calls=20_000 if short else 200_000),
        *([] if short else [with_storage()]),
        *_dead(CALLS_PER_S, rounds=1 if short else 3, peers=() if short else ("interlock", "pybreaker")),
        *([] if short else _dead(BUSY_CALLS_PER_S, rounds=2, peers=("interlock", "pybreaker"))),
        *([] if short else _ramped()),
        *_killed_prober(rounds=1 if short else 3),
    ]


# A dependency that dies


@dataclass(frozen=True)
class _Death:
    reached: int
    all_open_s: float | None


def _dead(calls_per_s: float, *, rounds: int, peers: tuple[str, ...]) -> list[Row]:
    ours = sorted((_die("ours", calls_per_s) for _ in range(rounds)), key=lambda death: death.reached)
    theirs = {peer: _die(peer, calls_per_s) for peer in peers}
    middle = ours[len(ours) // 2]
    is_claimed = calls_per_s == CALLS_PER_S
    spread = f" ({ours[0].reached} to {ours[-1].reached})" if rounds > 1 else ""
    told = ", ".join(f"{peer} {_told(death)}" for peer, death in theirs.items())
    return [
        Row(
            f"calls that reach a dead port, {WORKERS} processes, {calls_per_s:g} calls/s",
            f"{middle.reached}{spread}",
            f"≤ {REACHED_MAX}" if is_claimed else "",
            told,
            middle.reached <= REACHED_MAX if is_claimed else None,
        ),
        Row(
            f"until every process has opened, at {calls_per_s:g} calls/s",
            f"{middle.all_open_s:.2f} s" if middle.all_open_s is not None else "never",
            f"≤ {OPEN_S_MAX:g} s" if is_claimed else "",
            "",
            (middle.all_open_s or 99) <= OPEN_S_MAX if is_claimed else None,
        ),
    ]


def _told(death: _Death) -> str:
    end = "not all open after 20 s" if death.all_open_s is None else f"all open {death.all_open_s:.1f} s"
    return f"{death.reached} ({end})"


def _die(guard: str, calls_per_s: float) -> _Death:
    with _dependency() as dependency, _crew(guard, dependency, workers=WORKERS) as notes:
        notes.orders = Orders(calls_per_s / WORKERS, dependency.port)
        _await(lambda: all(one.passed for one in notes.all()))
        before = sum(one.attempts for one in notes.all())
        dependency.down()
        limit_s = _LIMIT_S if guard == "ours" else _PEER_LIMIT_S
        has_opened = _await(lambda: all(one.open_at for one in notes.all()), limit_s=limit_s)
        found = notes.all()
        reached = sum(one.attempts for one in found) - before
        first = min(one.first_failed_at for one in found if one.first_failed_at)
        return _Death(reached, max(one.open_at for one in found) - first if has_opened else None)


# And comes back


def _killed_prober(*, rounds: int) -> list[Row]:
    from resilience.breaker import BreakerPolicy

    policy = BreakerPolicy()
    took_s, most = zip(*(_kill_prober(policy.probes_at_once) for _ in range(rounds)), strict=True)
    limit_s = policy.lease_s + 1
    return [
        Row(
            "prober killed with -9 while half-open: the next probe after",
            f"{max(took_s):.2f} s (worst of {rounds}; the lease is {policy.lease_s:g} s)",
            f"≤ {limit_s:g} s",
            "interlock-cb 2.8.2: never, while it is asked (research/resilience.md 0.6)",
            max(took_s) <= limit_s,
        ),
        Row(
            "probes at once, seen by the dependency",
            f"{max(most)}",
            f"≤ {policy.probes_at_once}",
            "circuitbreaker 32, purgatory 32 of 32 threads (research/resilience.md 0.5)",
            max(most) <= policy.probes_at_once,
        ),
    ]


def _kill_prober(probes_at_once: int) -> tuple[float, int]:
    with _dependency() as dependency, _crew("ours", dependency, workers=10) as notes:
        _open_all(notes, dependency, pace_per_s=4.0)
        dependency.hold()
        dependency.most_at_once = 0
        dependency.up()
        _await(lambda: len(dependency.pids()) == probes_at_once)
        killed = dependency.pids()
        for pid in killed:
            os.kill(pid, 9)
        killed_at = time.monotonic()
        _await(lambda: set(dependency.pids()) - set(killed))
        took_s = time.monotonic() - killed_at
        dependency.answer()
        return took_s, dependency.most_at_once


def _ramped() -> list[Row]:
    """Compare what is admitted with the curve, second by second of the ramp."""
    from resilience.breaker import BreakerPolicy

    policy = BreakerPolicy()
    with _dependency() as dependency, _crew("ours", dependency, workers=20) as notes:
        _open_all(notes, dependency, pace_per_s=20.0)
        dependency.up()
        # The third probe that passes begins the ramp.
        _await(lambda: len(dependency.calls) > policy.probes_needed)
        start = dependency.calls[policy.probes_needed - 1]
        offered_before = _offered(notes)
        begun_at = time.monotonic()
        worst = 0.0
        curve = 0.0
        while (now := time.monotonic()) - start < policy.ramp_s:
            offered, offered_at = _offered(notes), now
            share = max(policy.ramp_share_min, min(1.0, (now - start) / policy.ramp_s))
            curve += share * (offered - offered_before)
            offered_before = offered
            admitted = sum(1 for at in list(dependency.calls) if begun_at <= at <= offered_at)
            if curve > 100:
                worst = max(worst, admitted / curve - 1)
            time.sleep(0.05)
    return [
        Row(
            "ramp: calls admitted above the curve, worst from the 100th on (20 processes, 400 calls/s)",
            f"{worst:+.1%}",
            "≤ +5 %",
            "no ramp in pybreaker, interlock-cb, resilience4j, Polly",
            worst <= 0.05,
        )
    ]


def _offered(notes: Notes) -> int:
    return sum(one.attempts + one.rejected for one in notes.all())


def _open_all(notes: Notes, dependency: Dependency, *, pace_per_s: float) -> None:
    notes.orders = Orders(pace_per_s, dependency.port)
    _await(lambda: all(one.passed for one in notes.all()))
    dependency.down()
    _await(lambda: all(one.open_at for one in notes.all()))
    dependency.calls.clear()


@contextlib.contextmanager
def _dependency() -> Iterator[Dependency]:
    one = Dependency()
    one.up()
    yield one
    one.answer()
    one.down()


def _crew(guard: str, dependency: Dependency, *, workers: int) -> contextlib.AbstractContextManager[Notes]:
    return crew(
        workers=workers,
        guard=guard,
        name=f"bench:{secrets.token_hex(4)}",
        port=dependency.port,
        directory=Path(tempfile.gettempdir()),
        environment={},
    )


def _await(holds: Callable[[], object], *, limit_s: float = _LIMIT_S) -> bool:
    deadline = time.monotonic() + limit_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
