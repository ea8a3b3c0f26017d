"""Settings that are none stop the process, and say what is wrong."""

import os
import subprocess
import sys

import pytest
from django.conf import settings


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("HOLDFAST_SHEDDER", "maybe", "Must be one of: on, shadow, off"),
        ("HOLDFAST_TRUST_REQUEST_START", "maybe", "Not a valid boolean"),
        ("HOLDFAST_THROTTLE_PER_S", "0", "Must be greater than 0"),
        ("HOLDFAST_THROTTLE_PER_S", "-1", "Must be greater than 0"),
        ("HOLDFAST_THROTTLE_PER_S", "nan", "HOLDFAST_THROTTLE_PER_S"),
        ("HOLDFAST_THROTTLE_PER_S", "inf", "HOLDFAST_THROTTLE_PER_S"),
        ("HOLDFAST_THROTTLE_PER_S", "many", "Not a valid number"),
        ("HOLDFAST_THROTTLE_BURST", "0", "Must be greater than or equal to 1"),
        ("HOLDFAST_THROTTLE_BURST", "1.5", "Not a valid integer"),
    ],
)
def test_a_limit_that_is_none_stops_the_process(name: str, value: str, complaint: str) -> None:
    process = subprocess.run(
        [sys.executable, "-c", "import config.settings"],
        cwd=settings.BASE_DIR,
        env={**os.environ, name: value},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert process.returncode != 0
    assert name in process.stderr
    assert complaint in process.stderr
