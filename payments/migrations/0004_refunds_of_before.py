"""Every refund that was asked of a gateway gets a row of its own, also those of before there were such rows."""

from django.db import migrations

# An operation's id serves as the refund's: both are UUIDv7 of the moment that it began.
_ONE_REFUND_EACH = """
INSERT INTO payments_refund (id, payment_id, amount_minor, reason, source, status, reference, failure_code,
                             created_at, settled_at)
SELECT o.id, o.payment_id, o.amount_minor, '', 'return',
       CASE WHEN o.phase <> 'settled' THEN 'pending' WHEN o.outcome = 'succeeded' THEN 'succeeded'
            ELSE 'failed' END,
       o.reference, '', o.created_at, o.settled_at
FROM payments_operation o WHERE o.kind = 'refund';
UPDATE payments_operation SET refund_id = id WHERE kind = 'refund';
UPDATE payments_payment p SET refund_reserved_minor = r.amount_minor
FROM payments_refund r WHERE r.payment_id = p.id AND r.status = 'pending';
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0003_money")]

    operations = [migrations.RunSQL(_ONE_REFUND_EACH, migrations.RunSQL.noop)]
