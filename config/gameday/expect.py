"""What should be seen, as the expectations that scenarios are made of. Each bound stands in its sentence."""

from collections.abc import Callable

from config.gameday.client import NO_ANSWER
from config.gameday.scenario import Expectation
from config.gameday.seen import Request, Seen, Window

# After the fault began, until what must notice it has noticed it.
_NOTICED_S = 1.0
_SETTLED_WELL = "confirmed"
_NOT_FOUND = 404


def all_accepted() -> Expectation:
    """Every order is accepted at its first try, in every phase."""

    def look(seen: Seen) -> tuple[str, bool | None]:
        posts = seen.of("POST", seen.whole)
        failed = seen.failures("POST", seen.whole)
        return f"{len(posts) - failed} of {len(posts)}", failed == 0 if posts else None

    return Expectation("every order is accepted at its first try", look)


def accepted_at_least(*, per_cent: float) -> Expectation:
    """A share of the orders is accepted at the first try, in every phase together."""

    def look(seen: Seen) -> tuple[str, bool | None]:
        posts = seen.of("POST", seen.whole)
        if not posts:
            return "no order was sent", None
        share = 100 * sum(one.is_ok for one in posts) / len(posts)
        return f"{share:.2f} % of {len(posts)}", share >= per_cent

    return Expectation(f"at least {per_cent:g} % of the orders are accepted at their first try", look)


def all_confirmed() -> Expectation:
    """Every acknowledged order is confirmed in the end; none is missing, none was cancelled."""

    def look(seen: Seen) -> tuple[str, bool]:
        told = ", ".join(f"{count} {status}" for status, count in sorted(seen.orders.items()))
        is_so = set(seen.orders) == {_SETTLED_WELL} and seen.unanswered == 0
        return f"{told or 'none'}; {seen.unanswered} never answered", is_so

    return Expectation("every acknowledged order is confirmed in the end", look)


def none_missing() -> Expectation:
    """No acknowledged order is missing in the database that leads in the end."""

    def look(seen: Seen) -> tuple[str, bool | None]:
        missing, known = seen.orders.get("missing", 0), sum(seen.orders.values())
        return f"{missing} of {known} missing", missing == 0 if known else None

    return Expectation("no acknowledged order is missing", look)


def no_errors(kind: str) -> Expectation:
    """Requests of a kind are all answered well during the fault, once it was noticed."""

    def look(seen: Seen) -> tuple[str, bool | None]:
        window = _noticed(seen)
        sent, failed = len(seen.of(kind, window)), seen.failures(kind, window)
        return f"{failed} of {sent}", failed == 0 if sent else None

    return Expectation(f"no {kind} fails during the fault (after {_NOTICED_S:g} s)", look)


def p99_rises_at_most(kind: str, *, by_ms: float) -> Expectation:
    """The p99 of a kind during the fault is not much above the steady one."""

    def look(seen: Seen) -> tuple[str, bool | None]:
        before = seen.latency_ms(kind, seen.steady, 99)
        during = seen.latency_ms(kind, _noticed(seen), 99)
        if before is None or during is None:
            return "no request", None
        return f"{before:.0f} → {during:.0f} ms", during - before <= by_ms

    return Expectation(f"p99 of {kind} rises by at most {by_ms:g} ms (after {_NOTICED_S:g} s)", look)


def p99_at_most(kind: str, *, ms: float) -> Expectation:
    """The p99 of a kind during the fault stays below a bound."""

    def look(seen: Seen) -> tuple[str, bool | None]:
        during = seen.latency_ms(kind, seen.fault, 99)
        return ("no request", None) if during is None else (f"{during:.1f} ms", during <= ms)

    return Expectation(f"p99 of {kind} is at most {ms:g} ms during the fault", look)


def amplification_at_most(bound: float) -> Expectation:
    """Gateways are called not much more often for each thing that is needed than in the steady state."""

    def look(seen: Seen) -> tuple[str, bool | None]:
        found = seen.amplification()
        if found is None or seen.calls_all is None:
            return "not known", None
        refused = "unknown" if seen.refused_connects is None else f"{seen.refused_connects:.0f}"
        told = f"{found:.2f} ({seen.calls_all.all} calls, {refused} refused, {seen.calls_all.needed} needed)"
        return told, found <= bound

    return Expectation(f"calls at the gateways are at most {bound:.2f} times the needed ones", look)


def drained_within(factor: float) -> Expectation:
    """What had to wait is done soon after: at the pace of which the stack is capable."""

    def look(seen: Seen) -> tuple[str, bool | None]:
        if seen.capacity is None or seen.backlog is None:
            return "not measured", None
        bound_s = factor * seen.backlog / seen.capacity.settled_per_s
        told = f"{seen.backlog:.0f} orders at {seen.capacity.settled_per_s:.0f}/s"
        if seen.drained_s is None:
            return f"{told}: not drained (allowed {bound_s:.0f} s)", False
        return f"{told}: {seen.drained_s:.1f} s (allowed {bound_s:.1f} s)", seen.drained_s <= bound_s

    return Expectation(f"the backlog is gone within {factor:g} × backlog / capacity", look)


def drained_within_s(bound_s: float) -> Expectation:
    """What had to wait is done within a time after the fault."""

    def look(seen: Seen) -> tuple[str, bool]:
        if seen.drained_s is None:
            return "not drained", False
        return f"{seen.drained_s:.1f} s", seen.drained_s <= bound_s

    return Expectation(f"the backlog is gone {bound_s:g} s after the fault", look)


def writes_again_within(bound_s: float) -> Expectation:
    """Orders are accepted again, for good, soon after the fault began."""

    def look(seen: Seen) -> tuple[str, bool | None]:
        if not seen.of("POST", seen.fault):
            return "no order was sent", None
        after_s = seen.writes_again_after_s()
        return ("never", False) if after_s is None else (f"{after_s:.1f} s", after_s <= bound_s)

    return Expectation(f"orders are accepted again at most {bound_s:g} s after the fault began", look)


def says_so_within(bound_s: float, *, part: str) -> Expectation:
    """The platform itself says that a part is reduced, and what that means (`/healthz`)."""

    def look(seen: Seen) -> tuple[str, bool]:
        span = seen.reduced().get(part)
        if span is None:
            return "never said", False
        after_s = span[0] - seen.fault.begin_s
        return f"said after {after_s:.1f} s, last at {span[1] - seen.fault.begin_s:.1f} s", after_s <= bound_s

    return Expectation(f"/healthz says within {bound_s:g} s that {part} is reduced", look)


def nothing_restarts() -> Expectation:
    """No process of the platform ends: it bears the fault."""

    def look(seen: Seen) -> tuple[str, bool]:
        told = ", ".join(f"{count} {kind}" for kind, count in seen.restarted.items() if count)
        return told or "none", not told

    return Expectation("no process of the platform is replaced", look)


def goodput_at_least(share: float) -> Expectation:
    """Under overload the stack goes on doing what it can do."""

    def look(seen: Seen) -> tuple[str, bool | None]:
        if seen.capacity is None:
            return "capacity not measured", None
        good = seen.goodput_per_s(seen.fault)
        of = seen.capacity.accepted_per_s
        return f"{good:.0f}/s of {of:.0f}/s ({100 * good / of:.0f} %)", good >= share * of

    return Expectation(f"orders accepted in time are at least {100 * share:.0f} % of the capacity", look)


def confirmed_pace_at_least(share: float) -> Expectation:
    """Orders are confirmed during the fault at nearly the pace of the steady state."""

    def look(seen: Seen) -> tuple[str, bool | None]:
        before, during = (_pace(seen, window, _SETTLED_WELL) for window in (seen.steady, seen.fault))
        if before is None or during is None:
            return "not sampled", None
        return f"{before:.1f}/s → {during:.1f}/s", during >= share * before

    return Expectation(f"orders are confirmed at {100 * share:.0f} % of the steady pace or better", look)


def normal_again_within(bound_s: float) -> Expectation:
    """After the fault, requests soon take no longer than twice what they took before it."""

    def look(seen: Seen) -> tuple[str, bool | None]:
        last_s = max((one.due_s for one in seen.of("POST", seen.after)), default=0.0)
        # In a short run the load ends before: it can be normal earlier, but not be too late.
        is_over = last_s > seen.fault.end_s + bound_s
        later = Window(seen.fault.end_s + bound_s if is_over else last_s - 5.0, seen.after.end_s)
        before = seen.latency_ms("POST", seen.steady, 95)
        after = seen.latency_ms("POST", later, 95)
        if before is None or after is None:
            return "no request", None
        failed = seen.failures("POST", later)
        is_normal = after <= 2 * before and failed == 0
        return f"p95 {before:.0f} → {after:.0f} ms, {failed} failed", is_normal or (
            False if is_over else None
        )

    return Expectation(f"{bound_s:g} s after the fault, orders take at most twice the steady time", look)


def reads_own_writes() -> Expectation:
    """A client that sends its token back never misses an order that it placed."""
    return _none_of("GET", "no client misses its own order", lambda one: one.status == _NOT_FOUND, of=None)


def always_answered(kind: str) -> Expectation:
    """Probes of a kind get an answer, whichever, all through the fault."""
    return _none_of(
        kind, f"{kind} is always answered", lambda one: one.status == NO_ANSWER, of=lambda seen: seen.fault
    )


def _none_of(
    kind: str, says: str, is_wrong: Callable[[Request], bool], *, of: Callable[[Seen], Window] | None
) -> Expectation:
    def look(seen: Seen) -> tuple[str, bool | None]:
        requests = seen.of(kind, of(seen) if of else seen.whole)
        wrong = sum(is_wrong(one) for one in requests)
        return f"{wrong} of {len(requests)} not so", wrong == 0 if requests else None

    return Expectation(says, look)


def _noticed(seen: Seen) -> Window:
    return Window(seen.fault.begin_s + _NOTICED_S, seen.fault.end_s)


def _pace(seen: Seen, window: Window, name: str) -> float | None:
    values = [(at_s, value) for at_s, value in seen.series(name) if window.holds(at_s)]
    if len(values) < 2 or values[-1][0] == values[0][0]:
        return None
    return (values[-1][1] - values[0][1]) / (values[-1][0] - values[0][0])
