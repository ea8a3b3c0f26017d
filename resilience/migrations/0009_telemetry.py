"""What is measured: totals, spans of time, and what the tables need of PostgreSQL beyond their columns."""

import django.contrib.postgres.fields
from django.db import migrations, models

# A histogram's buckets add up one by one; the longer of two layouts wins, should a release change it.
_BUCKETS = """
CREATE FUNCTION resilience_add_buckets(bigint[], bigint[]) RETURNS bigint[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN $1 IS NULL THEN $2
        WHEN $2 IS NULL THEN $1
        ELSE (SELECT array_agg(coalesce(one, 0) + coalesce(other, 0) ORDER BY place)
              FROM unnest($1, $2) WITH ORDINALITY AS both_of (one, other, place))
    END
$$;
CREATE AGGREGATE resilience_sum_buckets(bigint[]) (
    sfunc = resilience_add_buckets, stype = bigint[], combinefunc = resilience_add_buckets, parallel = safe
);
"""
_BUCKETS_UNDO = """
DROP AGGREGATE resilience_sum_buckets(bigint[]);
DROP FUNCTION resilience_add_buckets(bigint[], bigint[]);
"""
# Each process updates some hundred rows every ten seconds: half-filled pages keep a row's next version on
# its page (HOT), and what is dead is swept before it is as much as what lives.
_ROOM_FOR_UPDATES = """
ALTER TABLE resilience_metric_total SET (
    fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000
);
ALTER TABLE resilience_metric_10s SET (fillfactor = 70);
"""
_ROOM_FOR_UPDATES_UNDO = """
ALTER TABLE resilience_metric_total RESET (
    fillfactor, autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold
);
ALTER TABLE resilience_metric_10s RESET (fillfactor);
"""


class Migration(migrations.Migration):

    dependencies = [
        ('resilience', '0008_flags'),
    ]

    operations = [
        migrations.CreateModel(
            name='MetricWriter',
            fields=[
                ('process', models.TextField(primary_key=True, serialize=False)),
                ('sequence', models.BigIntegerField()),
                ('at', models.DateTimeField()),
            ],
            options={
                'db_table': 'resilience_metric_writer',
            },
        ),
        migrations.CreateModel(
            name='Metric10s',
            fields=[
                ('series', models.BigIntegerField()),
                ('at', models.DateTimeField()),
                ('value', models.FloatField()),
                ('peak', models.FloatField(null=True)),
                ('count', models.BigIntegerField()),
                ('total', models.FloatField()),
                ('buckets', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), null=True, size=None)),
                ('pk', models.CompositePrimaryKey('series', 'at', blank=True, editable=False, primary_key=True, serialize=False)),
            ],
            options={
                'db_table': 'resilience_metric_10s',
                'indexes': [models.Index(fields=['at'], name='metric_10s_by_time')],
            },
        ),
        migrations.CreateModel(
            name='MetricHour',
            fields=[
                ('series', models.BigIntegerField()),
                ('at', models.DateTimeField()),
                ('value', models.FloatField()),
                ('peak', models.FloatField(null=True)),
                ('count', models.BigIntegerField()),
                ('total', models.FloatField()),
                ('buckets', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), null=True, size=None)),
                ('pk', models.CompositePrimaryKey('series', 'at', blank=True, editable=False, primary_key=True, serialize=False)),
            ],
            options={
                'db_table': 'resilience_metric_hour',
                'indexes': [models.Index(fields=['at'], name='metric_hour_by_time')],
            },
        ),
        migrations.CreateModel(
            name='MetricMinute',
            fields=[
                ('series', models.BigIntegerField()),
                ('at', models.DateTimeField()),
                ('value', models.FloatField()),
                ('peak', models.FloatField(null=True)),
                ('count', models.BigIntegerField()),
                ('total', models.FloatField()),
                ('buckets', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), null=True, size=None)),
                ('pk', models.CompositePrimaryKey('series', 'at', blank=True, editable=False, primary_key=True, serialize=False)),
            ],
            options={
                'db_table': 'resilience_metric_minute',
                'indexes': [models.Index(fields=['at'], name='metric_minute_by_time')],
            },
        ),
        migrations.CreateModel(
            name='MetricTotal',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('metric', models.TextField()),
                ('labels', models.JSONField()),
                ('kind', models.TextField()),
                ('value', models.FloatField()),
                ('count', models.BigIntegerField()),
                ('total', models.FloatField()),
                ('buckets', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), null=True, size=None)),
                ('at', models.DateTimeField()),
            ],
            options={
                'db_table': 'resilience_metric_total',
                'constraints': [models.UniqueConstraint(fields=('metric', 'labels'), name='a_series_has_one_total')],
            },
        ),
        migrations.AddField(
            model_name='saga',
            name='trace',
            field=models.CharField(db_default='', default='', help_text='the W3C traceparent of what started it', max_length=55),
        ),
        migrations.RunSQL(_BUCKETS, _BUCKETS_UNDO),
        migrations.RunSQL(_ROOM_FOR_UPDATES, _ROOM_FOR_UPDATES_UNDO),
    ]
