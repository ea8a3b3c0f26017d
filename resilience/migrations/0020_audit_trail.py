"""The audit trail: a table for what had no log of its own, and a view over all of them."""

from django.db import migrations, models

import resilience.ids

# Each deed is written once, in the log of what it was done to; this only puts them side by side.
# All columns are text in each part: only so does PostgreSQL ask each log by its own index.
_VIEW = """
CREATE VIEW resilience_audit_trail AS
SELECT id, at, 'saga'::text AS area, action::text AS action, saga_id::text AS subject, operator::text AS by,
       reason::text AS reason, ('at ' || step)::text AS outcome
FROM resilience_operator_action
UNION ALL
SELECT id, at, 'breaker', (action || CASE WHEN state = '' THEN '' ELSE ' ' || state END)::text, name::text,
       operator::text, reason::text,
       (CASE WHEN until IS NULL THEN ''
             ELSE 'until ' || to_char(until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC' END)::text
FROM resilience_breaker_override_change
UNION ALL
SELECT id, at, 'flag', change::text, name::text, by::text, reason::text, ''::text FROM resilience_flag_change
UNION ALL
SELECT id, at, 'subscription', change::text, subscription::text, by::text, reason::text, ''::text
FROM resilience_subscription_change
UNION ALL
SELECT id, at, 'staff', action::text, subject::text, by::text, reason::text, outcome::text
FROM resilience_staff_action
"""


class Migration(migrations.Migration):
    dependencies = [("resilience", "0019_dead_letters_in_order")]

    operations = [
        migrations.CreateModel(
            name="StaffAction",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=resilience.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("action", models.CharField(max_length=32)),
                ("subject", models.CharField(max_length=150)),
                ("once", models.UUIDField(null=True)),
                ("by", models.CharField(max_length=150)),
                ("reason", models.TextField()),
                ("outcome", models.TextField(default="")),
                ("at", models.DateTimeField()),
            ],
            options={
                "db_table": "resilience_staff_action",
                "permissions": [("operate", "Can act on orders, payments, sagas, breakers, flags, events")],
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        fields=["once", "subject"],
                        condition=models.Q(once__isnull=False),
                        name="a_form_does_its_deed_once",
                    )
                ],
                "indexes": [
                    models.Index(fields=["-at"], name="staff_action_by_time"),
                    models.Index(fields=["subject", "-at"], name="staff_action_by_subject"),
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditTrail",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("area", models.CharField(max_length=16)),
                ("action", models.TextField()),
                ("subject", models.TextField()),
                ("by", models.TextField()),
                ("reason", models.TextField()),
                ("outcome", models.TextField()),
            ],
            options={
                "verbose_name": "deed",
                "verbose_name_plural": "audit trail",
                "db_table": "resilience_audit_trail",
                "managed": False,
                "default_permissions": ("view",),
            },
        ),
        migrations.RunSQL(_VIEW, "DROP VIEW resilience_audit_trail"),
    ]
