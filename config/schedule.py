"""What Celery beat starts, how often (seconds), and after how long nobody wants it any more."""

from typing import Any

SCHEDULE: dict[str, dict[str, Any]] = {
    "prune stored answers": {
        "task": "resilience.idempotency.prune",
        "schedule": 3600.0,
        "options": {"expires": 3600},  # while no worker runs, one message waits, not a day of them
    },
    "guard flags": {
        "task": "resilience.flags.guard",
        "schedule": 5.0,
        "options": {"expires": 5},
    },
    "roll up what is measured": {
        "task": "resilience.telemetry.roll_up",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "seal the ledger": {
        "task": "payments.ledger.seal",
        "schedule": 10.0,
        "options": {"expires": 10},
    },
    "reconcile accounts": {
        "task": "payments.reconcile",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "audit": {
        "task": "audit.run",
        "schedule": 300.0,
        "options": {"expires": 300},
    },
    "try notices again that wait": {
        "task": "payments.notices.sweep",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "prune the tallies of minutes": {
        "task": "analytics.prune_tallies",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
    "open and forget days of the event log": {
        "task": "resilience.keep_event_log",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
    "notice who is the primary": {
        "task": "resilience.note_primary",
        "schedule": 5.0,
        "options": {"expires": 5},
    },
    "carry on replays of events": {
        "task": "resilience.carry_on_replays",
        "schedule": 10.0,
        "options": {"expires": 10},
    },
    "prune the log of webhooks": {
        "task": "resilience.prune_webhook_log",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
    "let go of authorizations that lapse": {
        "task": "payments.watch_authorizations",
        # Far below LAPSE_MARGIN (payments/steps/authorize_payments.py): a slow gateway is asked in time.
        "schedule": 300.0,
        "options": {"expires": 300},
    },
}
