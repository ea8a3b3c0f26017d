from django.db import migrations, models

# In the order of `resilience.webhooks.signing.replaced`: the newest first, of which there was one.
_COPY = """
UPDATE resilience_webhook_endpoint
SET secrets_before = jsonb_build_array(
    jsonb_build_object('secret', secret_before, 'until', to_char(secret_before_until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'))
)
WHERE secret_before <> '' AND secret_before_until IS NOT NULL
"""
_COPY_BACK = """
UPDATE resilience_webhook_endpoint
SET secret_before = secrets_before->0->>'secret', secret_before_until = (secrets_before->0->>'until')::timestamptz
WHERE jsonb_array_length(secrets_before) > 0
"""


class Migration(migrations.Migration):
    dependencies = [
        ("resilience", "0017_subscription_lanes"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="webhookendpoint",
            name="a_client_names_an_address_once",
        ),
        migrations.RemoveConstraint(
            model_name="webhookendpoint",
            name="a_webhook_endpoint_is_disabled_for_a_reason",
        ),
        migrations.AddField(
            model_name="webhookendpoint",
            name="secrets_before",
            field=models.JSONField(default=list),
        ),
        migrations.RunSQL(_COPY, _COPY_BACK),
        migrations.RemoveField(
            model_name="webhookendpoint",
            name="secret_before",
        ),
        migrations.RemoveField(
            model_name="webhookendpoint",
            name="secret_before_until",
        ),
        migrations.AlterField(
            model_name="webhookdelivery",
            name="tried_since",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddIndex(
            model_name="webhookdelivery",
            index=models.Index(
                condition=models.Q(("leased_until__isnull", False), ("state", "pending")),
                fields=["endpoint", "leased_until"],
                name="webhook_delivery_held",
            ),
        ),
        migrations.AddConstraint(
            model_name="webhookendpoint",
            constraint=models.UniqueConstraint(
                condition=models.Q(("disabled_reason", "deleted"), _negated=True),
                fields=("client", "url"),
                name="a_client_names_an_address_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="webhookendpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("disabled_at__isnull", True), ("disabled_reason", "")),
                    models.Q(
                        ("disabled_at__isnull", False),
                        ("disabled_reason__in", ["deleted", "owner", "gone", "failing"]),
                    ),
                    _connector="OR",
                ),
                name="a_webhook_endpoint_is_disabled_for_a_reason",
            ),
        ),
    ]
