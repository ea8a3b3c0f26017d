"""The checks of what every installation has: servers, pulse, sagas, events, and who works on them."""

from collections import Counter

from resilience import pulse
from resilience.events.lag import OLDEST_AGES, registered
from resilience.flags import Switch, declared
from resilience.health.backlogs import Backlog, register_backlog
from resilience.health.check import PASSED, Check, Finding, Scope, Status, register
from resilience.health.roles import register_role
from resilience.limits.report import reports
from resilience.pulse import Query
from resilience.routing import primary_state, replica_state

# A server that was not heard of for this long does not answer: eight beats.
SILENCE_S_MAX = 2.0

# Without the age of the youngest, `now()` of a long transaction would be the past.
_OLDEST_DUE = (
    "SELECT extract(epoch FROM clock_timestamp() - min(due_at)) FROM resilience_saga WHERE due_at IS NOT NULL"
)
_PARKED = "SELECT count(*) FROM resilience_saga WHERE status = 'parked'"
_DEAD_LETTERS = "SELECT count(*) FROM resilience_dead_letter WHERE redelivered_at IS NULL"
# One that could not tell (a part was away) is no violation; the next one tells.
_AUDIT_FAILED = """
    SELECT count(*) FROM (
        SELECT verdict FROM resilience_audit_run WHERE verdict IN ('pass', 'fail') ORDER BY id DESC LIMIT 1
    ) AS last
    WHERE verdict = 'fail'
"""


def _primary() -> Finding:
    if primary_state() is None:
        return Finding(Status.FAIL, output="The primary database has not answered lately.")
    return PASSED


def _replica() -> Finding:
    state = replica_state()
    if state is None:
        return Finding(Status.FAIL, output="The replica does not answer, lags too far, or has diverged.")
    return Finding(Status.PASS, state.lag_s, "s")


def _switches() -> Finding:
    turned = [one.name for one in declared() if isinstance(one, Switch) and one.is_on() is not one.default]
    if turned:
        return Finding(Status.WARN, len(turned), "switches", f"Operators turned: {', '.join(turned)}.")
    return Finding(Status.PASS, 0, "switches")


def _limits() -> Finding:
    shed: Counter[str] = Counter()
    throttled = 0
    for report in reports.fleet():
        shed.update(report.shed)
        throttled += len(report.throttled)
    if not shed and not throttled:
        return Finding(Status.PASS, 0, "requests")
    tiers = ", ".join(f"{count} {of}" for of, count in shed.most_common())
    output = f"Turned away within the last minute or two: {tiers or 'none'}; throttled keys: {throttled}."
    return Finding(Status.WARN if shed else Status.PASS, shed.total(), "requests", output)


def _redis() -> Finding:
    age_s = pulse.age_s("redis")
    if age_s is None or age_s > SILENCE_S_MAX:
        return Finding(Status.FAIL, output="Redis has not answered lately.")
    return PASSED


register(
    Check(
        name="primary:connection",
        component_type="datastore",
        scope=Scope.SHARED,
        is_hard=True,
        meaning="No order is accepted or goes on; reads are answered as far as replica and cache go.",
        look=_primary,
    ),
    Check(
        name="replica:lag_s",
        component_type="datastore",
        scope=Scope.SHARED,
        is_hard=False,
        meaning="Reads go to the primary, up to a limit; orders are not touched.",
        look=_replica,
    ),
    Check(
        name="redis:connection",
        component_type="datastore",
        scope=Scope.SHARED,
        is_hard=False,
        meaning="Orders are accepted and wait: their sagas go on when Redis is back. Caches are cold, "
        "throttles and breakers are each process's own.",
        look=_redis,
    ),
    Check(
        name="switches:turned",
        component_type="system",
        scope=Scope.SHARED,
        is_hard=False,
        meaning="What is switched off does not happen until it is on again: manage.py flags list.",
        look=_switches,
    ),
    Check(
        name="admission:shed",
        component_type="system",
        scope=Scope.SHARED,
        is_hard=False,
        meaning="The least important requests are answered 503 with Retry-After, to serve the others.",
        look=_limits,
    ),
)

for _backlog in (
    Backlog(
        name="sagas:oldest_due_s",
        unit="s",
        question=lambda: Query(_OLDEST_DUE),
        # A fleet with room takes a due saga within a tenth of a second.
        warn=5.0,
        fail=60.0,
        meaning="Orders are accepted and wait longer than usual to be paid.",
        output="A saga has been due for too long: workers, dispatcher or Redis are behind.",
    ),
    Backlog(
        name="sagas:parked",
        unit="sagas",
        question=lambda: Query(_PARKED),
        warn=1,
        fail=1000,
        meaning="Some orders wait for an operator: manage.py saga parked.",
        output="Sagas are parked.",
    ),
    Backlog(
        name="subscriptions:oldest_s",
        unit="s",
        question=lambda: Query(OLDEST_AGES, (registered(),)),
        warn=10.0,
        fail=120.0,
        meaning="What is told of orders comes late: analytics, caches, whoever listens. Orders go on.",
        output="A subscription is behind.",
    ),
    Backlog(
        name="subscriptions:dead_letters",
        unit="events",
        question=lambda: Query(_DEAD_LETTERS),
        warn=1,
        fail=1000,
        meaning="Some facts did not reach a subscriber: see docs/runbooks/dead-letters.md. Orders go on.",
        output="Dead letters wait for an operator.",
    ),
    Backlog(
        name="audits:failed",
        unit="audits",
        question=lambda: Query(_AUDIT_FAILED),
        warn=1,
        fail=1,
        meaning="A promise about orders, money or stock was found broken: docs/runbooks/audit-violation.md. "
        "Orders go on.",
        output="The last audit that could tell found a violation.",
    ),
):
    register_backlog(_backlog)

# Beat rings every five seconds at least (config.settings), so that a fleet that stands still shows it.
register_role(
    "worker",
    silence_s_max=15.0,
    meaning="Orders are accepted and wait: no worker takes messages, or nobody sends any.",
)
register_role(
    "dispatcher",
    silence_s_max=5.0,
    meaning="Orders are accepted and wait: nobody looks for what is due.",
)
register_role(
    "subscriber",
    silence_s_max=10.0,
    meaning="What is told of orders comes late: nobody reads the event log. Orders go on.",
)
register_role(
    "beat",
    silence_s_max=20.0,
    meaning="Nothing that is done on a schedule happens: ledger seals, reconciliation, audits, guards.",
)
