"""An exporter process of tests/integration/test_lake.py: `python -m tests.lake_exporter [POINT]`."""

import sys

import django

if __name__ == "__main__":
    django.setup()

    from django.core.management import call_command

    from resilience.crashpoints import Fault, arm

    for point in sys.argv[1:]:
        arm(point, Fault.KILL)
    print("exporting", flush=True)
    call_command("export_lake")
