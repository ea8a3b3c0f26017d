"""What the event tables need of PostgreSQL beyond their columns."""

from django.db import migrations

# Half-filled pages leave room for the next versions of a row that is updated per event or per batch,
# so that the update stays on its page and touches no index (HOT); and what is dead is swept early.
_ROOM_FOR_UPDATES = """
ALTER TABLE resilience_event_stream SET (
    fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000
);
ALTER TABLE resilience_subscription SET (
    fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200
);
"""
_ROOM_FOR_UPDATES_UNDO = """
ALTER TABLE resilience_event_stream RESET (
    fillfactor, autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold
);
ALTER TABLE resilience_subscription RESET (
    fillfactor, autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold
);
"""

# A fact that was told is not untold. TRUNCATE stays possible for tests; retention drops whole partitions.
_APPEND_ONLY = """
CREATE FUNCTION resilience_event_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the event log is append-only' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER the_event_log_is_append_only
BEFORE UPDATE OR DELETE ON resilience_event
FOR EACH STATEMENT EXECUTE FUNCTION resilience_event_refuse_change();
"""
_APPEND_ONLY_UNDO = """
DROP TRIGGER the_event_log_is_append_only ON resilience_event;
DROP FUNCTION resilience_event_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("resilience", "0001_initial")]

    operations = [
        migrations.RunSQL(_ROOM_FOR_UPDATES, _ROOM_FOR_UPDATES_UNDO),
        migrations.RunSQL(_APPEND_ONLY, _APPEND_ONLY_UNDO),
    ]
