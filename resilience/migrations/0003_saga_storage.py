"""What the saga table needs of PostgreSQL beyond its columns."""

from django.db import migrations

# Half-filled pages leave room for the next versions of a row that is updated at every step, so that
# the update stays on its page and touches no index (HOT).
_ROOM_FOR_UPDATES = "ALTER TABLE resilience_saga SET (fillfactor = 50)"
_UNDO = "ALTER TABLE resilience_saga RESET (fillfactor)"


class Migration(migrations.Migration):
    dependencies = [("resilience", "0002_events_storage")]

    operations = [migrations.RunSQL(_ROOM_FOR_UPDATES, _UNDO)]
