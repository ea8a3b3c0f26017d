"""How sagas were carried: one executor at a time, each step once, none forgotten (O6 to O8)."""

import json

from resilience.audit import Check, Findings, Kind, Moment, found, register
from resilience.saga.registry import definitions

# A due saga is hinted at within a second, and a dead worker's is free again after its lease (15 s).
OVERDUE_MAX_S = 30


def one_executor_at_a_time(_moment: Moment) -> Findings:
    """O6: the fences of a saga's log never fall, and none is above the saga's own.

    That the gateway never saw two executors of one step at once needs its clock; C8 shows that both
    would have sent one key.
    """
    return found(_FENCES)


def steps_take_effect_once(_moment: Moment) -> Findings:
    """O7: a step is done at most once and undone at most once, undoing begins after the doing ended and
    not over a doubt, and a completed saga left out no step. Where an operator acted, they answer for it.
    """
    steps = [
        {"definition": one.name, "version": one.version, "steps": len(one.steps)} for one in definitions()
    ]
    return found(_STEPS, {"definitions": json.dumps(steps)})


def sagas_go_on(moment: Moment) -> Findings:
    """O8: whatever is due is taken up; nothing that is active lies without a worker."""
    return found(_OVERDUE, {"now": moment.now, "overdue_s": OVERDUE_MAX_S})


_FENCES = """
SELECT concat('Saga ', l.saga_id, ' was written under fence ', l.fence, ' after ', l.before,
              ' and stands at ', s.fence, '.') AS message,
       ARRAY[concat('saga ', l.saga_id), concat('saga step ', l.id)] AS rows
FROM (SELECT id, saga_id, fence, lag(fence, 1, 0::bigint) OVER (PARTITION BY saga_id ORDER BY id) AS before
      FROM resilience_saga_step) l
JOIN resilience_saga s ON s.id = l.saga_id
WHERE l.fence < l.before OR l.fence > s.fence
"""

_STEPS = """
WITH steps AS (
  SELECT saga_id, step,
         count(*) FILTER (WHERE direction = 'do' AND outcome = 'done') AS done,
         count(*) FILTER (WHERE direction = 'undo' AND outcome = 'done') AS undone,
         max(id) FILTER (WHERE direction = 'do') AS last_do,
         min(id) FILTER (WHERE direction = 'undo') AS first_undo,
         (array_agg(outcome ORDER BY id DESC) FILTER (WHERE direction = 'do'))[1] AS last_outcome
  FROM resilience_saga_step GROUP BY 1, 2
), whole AS (
  SELECT saga_id, max(done) AS done, max(undone) AS undone, count(*) FILTER (WHERE done > 0) AS steps,
         max(last_do) > min(first_undo) AS is_mixed,
         bool_or(first_undo IS NOT NULL AND last_outcome = 'indoubt') AS is_over_doubt
  FROM steps GROUP BY 1
)
SELECT concat('Saga ', s.id, ' (', s.definition, ' of ', s.business_key, ', ', s.status, ') ',
              CASE WHEN w.done > 1 THEN 'did a step more than once.'
                   WHEN w.undone > 1 THEN 'undid a step more than once.'
                   WHEN w.is_mixed THEN 'did a step after it had begun to undo.'
                   WHEN w.is_over_doubt THEN 'undid a step over a doubt.'
                   ELSE concat('completed ', coalesce(w.steps, 0), ' of ', d.steps, ' steps.') END)
         AS message,
       ARRAY[concat('saga ', s.id)] AS rows
FROM resilience_saga s
LEFT JOIN whole w ON w.saga_id = s.id
LEFT JOIN json_to_recordset(%(definitions)s) AS d (definition text, version int, steps int)
  ON d.definition = s.definition AND d.version = s.version
WHERE (w.done > 1 OR w.undone > 1 OR w.is_mixed OR w.is_over_doubt
       OR (s.status = 'completed' AND coalesce(w.steps, 0) <> d.steps))
  AND NOT EXISTS (SELECT 1 FROM resilience_operator_action a WHERE a.saga_id = s.id)
"""

_OVERDUE = """
SELECT concat('Saga ', id, ' (', definition, ' of ', business_key, ', ', status, ') is due since ', due_at,
              '.') AS message,
       ARRAY[concat('saga ', id)] AS rows
FROM resilience_saga
WHERE due_at < %(now)s - make_interval(secs => %(overdue_s)s)
  AND (lease_until IS NULL OR lease_until < %(now)s - make_interval(secs => %(overdue_s)s))
"""

register(
    Check("O6", "One executor at a time", Kind.SAFETY, one_executor_at_a_time),
    Check("O7", "Each step has its effect once", Kind.SAFETY, steps_take_effect_once),
    Check("O8", "No saga is forgotten", Kind.LIVENESS, sagas_go_on),
)
