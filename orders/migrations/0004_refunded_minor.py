from django.db import migrations, models

# As was told last, where the log still has it; else the next refund tells.
_TOLD = """
UPDATE orders_order
SET refunded_minor = told.refunded_minor
FROM (
    SELECT DISTINCT ON (aggregateid) aggregateid, (payload ->> 'refunded_minor')::bigint AS refunded_minor
    FROM resilience_event
    WHERE aggregatetype = 'order' AND type = 'order.refunded'
    ORDER BY aggregateid, sequence DESC
) AS told
WHERE told.aggregateid = orders_order.id AND orders_order.status IN ('partially_refunded', 'refunded')
"""


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0003_refunds"),
        ("resilience", "0015_event_log_by_day"),
    ]

    operations = [
        migrations.AddField(
            model_name="order",
            name="refunded_minor",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.RunSQL(_TOLD, migrations.RunSQL.noop),
    ]
