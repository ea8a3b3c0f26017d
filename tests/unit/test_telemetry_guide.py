"""docs/telemetry.md names every metric that is declared, and no other."""

from pathlib import Path

from django.conf import settings

from resilience.telemetry.table import metrics_table

GUIDE = Path(settings.BASE_DIR) / "docs" / "telemetry.md"
BEGIN, END = "<!-- `manage.py metrics` begins -->\n", "\n<!-- ends -->"


def test_the_guide_has_the_table_of_what_is_declared():
    shown = GUIDE.read_text().partition(BEGIN)[2].partition(END)[0]

    assert shown == metrics_table(), "put what `manage.py metrics` prints into docs/telemetry.md"
