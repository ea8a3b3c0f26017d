"""The rows of the event log and of those who read it.

Written and read by raw SQL in this package (docs/events/README.md); the models are for migrations,
the admin and the timeline. Columns of `LoggedEvent` are named as Debezium's outbox event router expects
them, so that a Kafka can take the log over without code.
"""

from typing import ClassVar

from django.db import models

from resilience.events.fields import IdentityField, Xid8Field
from resilience.ids import new_id


class LoggedEvent(models.Model):
    """One published fact. Append-only: a trigger refuses UPDATE and DELETE. A partition per UTC day.

    The constraint on the sequence holds within a partition, where the database checks it; across days it
    is the lock on the stream's row that keeps it. The primary key there is (id, recorded_at).

    `xid` and `position` are the order in which everybody reads (resilience/events/log.py has the proof).
    """

    id = models.UUIDField(primary_key=True, editable=False)
    aggregatetype = models.CharField(max_length=64)
    aggregateid = models.UUIDField()
    sequence = models.BigIntegerField(help_text="per aggregate, from 1, without gaps")
    type = models.CharField(max_length=128)
    version = models.PositiveSmallIntegerField()
    payload = models.JSONField()
    client = models.CharField(max_length=64, default="", db_default="", help_text="empty: nobody's")
    xid = Xid8Field()
    position = IdentityField()
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()

    class Meta:
        app_label = "resilience"
        db_table = "resilience_event"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["aggregatetype", "aggregateid", "sequence"],
                name="an_aggregate_numbers_its_events_once",
            ),
            models.CheckConstraint(condition=models.Q(sequence__gte=1), name="an_event_sequence_is_from_one"),
        ]
        indexes: ClassVar = [models.Index(fields=["xid", "position"], name="event_reading_order")]

    def __str__(self) -> str:
        return f"{self.type} v{self.version} {self.aggregateid} #{self.sequence}"


class EventDay(models.Model):
    """When `xid` was the next transaction's id, it was `day` already (resilience/events/days.py)."""

    day = models.DateField(primary_key=True)
    xid = Xid8Field()

    class Meta:
        app_label = "resilience"
        db_table = "resilience_event_day"

    def __str__(self) -> str:
        return f"{self.day} from {self.xid}"


class EventStream(models.Model):
    """Where an aggregate's sequence stands; its row lock puts the aggregate's publishers in one order.

    Updated once per event: no index holds `sequence` or `xid`, and pages are filled to the half
    (migration), so that an update stays on its page and touches no index (HOT).
    """

    pk = models.CompositePrimaryKey("aggregatetype", "aggregateid")
    aggregatetype = models.CharField(max_length=64)
    aggregateid = models.UUIDField()
    sequence = models.BigIntegerField()
    xid = Xid8Field()

    class Meta:
        app_label = "resilience"
        db_table = "resilience_event_stream"

    def __str__(self) -> str:
        return f"{self.aggregatetype} {self.aggregateid} at {self.sequence}"


class SubscriptionState(models.Model):
    """How far a lane of a subscription has read: everything of its own up to (`position_xid`, `position`).

    `attempts`, `retry_at` and `error` speak of the event behind the position, while it fails. `paused` and
    `lanes_next` (how many lanes there are to be; None: as many as there are) count on the first lane only.
    """

    name = models.CharField(max_length=64)
    lane = models.PositiveSmallIntegerField(default=0, db_default=0, help_text="from 0")
    lanes = models.PositiveSmallIntegerField(default=1, db_default=1, help_text="of how many")
    lanes_next = models.PositiveSmallIntegerField(null=True)
    position_xid = Xid8Field(default=0)
    position = models.BigIntegerField(default=0)
    paused = models.BooleanField(default=False)
    handled = models.BigIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    retry_at = models.DateTimeField(null=True)
    error = models.TextField(default="")
    updated_at = models.DateTimeField()

    class Meta:
        app_label = "resilience"
        db_table = "resilience_subscription"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["name", "lane"], name="a_subscription_has_a_lane_once"),
            models.CheckConstraint(
                condition=models.Q(lane__lt=models.F("lanes")), name="a_lane_is_one_of_those_there_are"
            ),
            models.CheckConstraint(
                condition=models.Q(lanes_next=None) | models.Q(lane=0, lanes_next__gte=1),
                name="the_first_lane_says_how_many_are_to_be",
            ),
        ]

    def __str__(self) -> str:
        return self.name if self.lanes == 1 else f"{self.name}, lane {self.lane} of {self.lanes}"


class SubscriptionChange(models.Model):
    """What an operator did to a subscription, and why; append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    subscription = models.CharField(max_length=64)
    change = models.CharField(max_length=100)
    by = models.CharField(max_length=150)
    reason = models.TextField()
    at = models.DateTimeField()

    class Meta:
        app_label = "resilience"
        db_table = "resilience_subscription_change"
        indexes: ClassVar = [models.Index(fields=["-at"], name="subscription_change_by_time")]

    def __str__(self) -> str:
        return f"{self.subscription} {self.change} by {self.by}"


class EventReplay(models.Model):
    """Events of the past on their way to a subscription once more, beside what it reads by itself.

    `position_xid` and `position` are how far it is; it ends before `end_xid`, where the log ended when it
    began. `types` empty: every type that the subscription wants. `carried_per_s`: workers carry it on by
    themselves, so many events a second; None: whoever began it does.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    subscription = models.CharField(max_length=64)
    types = models.JSONField(default=list)
    since = models.DateTimeField(null=True)
    until = models.DateTimeField(null=True)
    aggregate_id = models.UUIDField(null=True)
    position_xid = Xid8Field(default=0)
    position = models.BigIntegerField(default=0)
    end_xid = Xid8Field()
    handled = models.BigIntegerField(default=0)
    begun_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)
    carried_per_s = models.FloatField(null=True)

    class Meta:
        app_label = "resilience"
        db_table = "resilience_event_replay"

    def __str__(self) -> str:
        return f"{self.subscription}: {self.handled} events"


class InboxEntry(models.Model):
    """A subscription has applied an event; written in the transaction of the effect."""

    pk = models.CompositePrimaryKey("subscription_id", "event_id")
    subscription_id = models.BigIntegerField()
    event_id = models.UUIDField()

    class Meta:
        app_label = "resilience"
        db_table = "resilience_inbox"

    def __str__(self) -> str:
        return f"{self.subscription_id}: {self.event_id}"


class DeadLetter(models.Model):
    """An event that a subscription could not handle; kept whole, for the log forgets one day."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    subscription = models.CharField(max_length=64)
    event_id = models.UUIDField()
    aggregatetype = models.CharField(max_length=64)
    aggregateid = models.UUIDField()
    sequence = models.BigIntegerField()
    type = models.CharField(max_length=128)
    version = models.PositiveSmallIntegerField()
    payload = models.JSONField()
    client = models.CharField(max_length=64, default="", db_default="")
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    error = models.TextField()
    attempts = models.PositiveIntegerField()
    died_at = models.DateTimeField()
    redelivered_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "resilience"
        db_table = "resilience_dead_letter"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["subscription", "event_id"], name="an_event_dies_once_per_subscription"
            )
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["subscription", "died_at"],
                condition=models.Q(redelivered_at__isnull=True),
                name="dead_letter_open",
            ),
            models.Index(
                fields=["subscription", "aggregateid", "sequence"],
                condition=models.Q(redelivered_at__isnull=True),
                name="dead_letter_in_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subscription}: {self.type} {self.event_id}"
