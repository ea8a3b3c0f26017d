"""What the payments table needs of PostgreSQL beyond its columns."""

from django.db import migrations

# Half-filled pages leave room for the next versions of a row that is updated at every step, so that
# the update stays on its page and touches no index (HOT).
_ROOM_FOR_UPDATES = "ALTER TABLE payments_payment SET (fillfactor = 50)"
_UNDO = "ALTER TABLE payments_payment RESET (fillfactor)"


class Migration(migrations.Migration):
    dependencies = [("payments", "0001_initial")]

    operations = [migrations.RunSQL(_ROOM_FOR_UPDATES, _UNDO)]
