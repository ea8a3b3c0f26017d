"""A sender process of tests/crash/test_webhooks_crash.py: `python -m tests.webhooks_sender [POINT]`."""

import sys

import django

if __name__ == "__main__":
    django.setup()

    from django.core.management import call_command

    from resilience.crashpoints import Fault, arm

    for point in sys.argv[1:]:
        arm(point, Fault.KILL)
    print("sending", flush=True)
    call_command("send_webhooks")
