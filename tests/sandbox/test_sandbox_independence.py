"""The witness must not share code with those about whom it bears witness."""

import json
import subprocess
import sys
from pathlib import Path

PLATFORM = ("django", "celery", "config", "orders", "analytics", "resilience", "stripe")


def test_the_sandbox_imports_nothing_of_the_platform():
    command = "import json, sys, payments.sandbox.__main__; print(json.dumps(sorted(sys.modules)))"
    root = Path(__file__).resolve().parents[2]
    out = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, check=True, cwd=root, timeout=60
    ).stdout

    modules = json.loads(out)
    assert "payments.sandbox.server" in modules
    assert [name for name in modules if name.split(".")[0] in PLATFORM] == []
    assert [
        name for name in modules if name.startswith("payments.") and not name.startswith("payments.sandbox")
    ] == []
