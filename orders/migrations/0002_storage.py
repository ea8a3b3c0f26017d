"""What the orders and products tables need of PostgreSQL beyond their columns."""

from django.db import migrations

# Half-filled pages leave room for the next versions of a row that is updated at every step, so that
# the update stays on its page and touches no index (HOT).
_ROOM_FOR_UPDATES = "ALTER TABLE orders_order SET (fillfactor = 60); ALTER TABLE orders_product SET (fillfactor = 50)"
_UNDO = "ALTER TABLE orders_order RESET (fillfactor); ALTER TABLE orders_product RESET (fillfactor)"


class Migration(migrations.Migration):
    dependencies = [("orders", "0001_initial")]

    operations = [migrations.RunSQL(_ROOM_FOR_UPDATES, _UNDO)]
