from django.db import migrations, models

# Of what is refunded in part the next refund tells; until then the column says nothing of it.
_KNOWN = "UPDATE orders_order SET refunded_minor = total_minor WHERE status = 'refunded'"


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0003_refunds"),
    ]

    operations = [
        migrations.AddField(
            model_name="order",
            name="refunded_minor",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.RunSQL(_KNOWN, migrations.RunSQL.noop),
    ]
