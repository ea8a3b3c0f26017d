"""A subscriber of tests/concurrency/test_events_exactly_once.py: `python -m tests.events_reader LANES`."""

import os
import sys

import django

if __name__ == "__main__":
    django.setup()

    from django.core.management import call_command

    from resilience.events import subscribe
    from tests.events_kit import apply_effects, subscription

    subscribe(
        subscription(
            "exactly-once",
            lambda events: apply_effects(events, process_id=os.getpid()),
            lanes=int(sys.argv[1]),
        )
    )
    call_command("subscribe", "exactly-once")
