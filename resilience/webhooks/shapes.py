"""Webhook endpoints and deliveries over HTTP: what requests may say, and what answers say."""

from typing import Any

from rest_framework import serializers

from resilience.rest.fields import StrictBoolean, StrictString, Timestamp
from resilience.rest.serializers import StrictSerializer
from resilience.webhooks.states import DeliveryState, DisabledReason
from resilience.webhooks.targets import URL_LENGTH_MAX

ORDERINGS = ("none", "aggregate")
TYPES_MAX = 100


class EndpointChange(StrictSerializer):
    """What to change of an endpoint."""

    url = StrictString(max_length=URL_LENGTH_MAX, required=False)
    description = StrictString(max_length=200, required=False)
    types = serializers.ListField(
        child=StrictString(max_length=128), max_length=TYPES_MAX, required=False, help_text="empty: all"
    )
    ordering = serializers.ChoiceField(
        choices=ORDERINGS, required=False, help_text="`aggregate`: an order's events one after the other"
    )
    enabled = StrictBoolean(required=False)


class EndpointRequest(EndpointChange):
    """A new endpoint."""

    url = StrictString(max_length=URL_LENGTH_MAX)


class RedeliveryRequest(StrictSerializer):
    """Which deliveries to send again: those made from `since` to `until`, failed ones only by default."""

    since = Timestamp()
    until = Timestamp(required=False)
    only = serializers.ChoiceField(choices=("failed", "all"), required=False)
    after = serializers.UUIDField(required=False, help_text="`next_after` of the call before")


class EndpointShape(serializers.Serializer[Any]):
    """An address that events are posted to. `failing_since`: nothing got through since then."""

    id = serializers.UUIDField()
    url = serializers.CharField()
    description = serializers.CharField()
    types = serializers.ListField(child=serializers.CharField())
    ordering = serializers.ChoiceField(choices=ORDERINGS)
    enabled = serializers.BooleanField()
    disabled_reason = serializers.ChoiceField(
        choices=[reason.value for reason in DisabledReason if reason is not DisabledReason.DELETED],
        allow_null=True,
    )
    disabled_at = serializers.DateTimeField(allow_null=True)
    failing_since = serializers.DateTimeField(allow_null=True)
    previous_secret_until = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class EndpointWithSecret(EndpointShape):
    """An endpoint with its signing secret, which is shown this once."""

    secret = serializers.CharField()


class EndpointPage(serializers.Serializer[Any]):
    """A client's endpoints, newest first."""

    data = EndpointShape(many=True)  # type: ignore[assignment] # the name is the API's
    next_cursor = serializers.CharField(allow_null=True)


class AttemptShape(serializers.Serializer[Any]):
    """One attempt. `status` null: there was no answer, and `error` says why. `reply` is its beginning."""

    number = serializers.IntegerField()
    at = serializers.DateTimeField()
    took_s = serializers.FloatField()
    status = serializers.IntegerField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    reply = serializers.CharField()


class DeliveryShape(serializers.Serializer[Any]):
    """An event on its way to an endpoint; `next_attempt_at` only while it is pending."""

    id = serializers.UUIDField()
    endpoint_id = serializers.UUIDField()
    event_id = serializers.UUIDField()
    type = serializers.CharField()
    state = serializers.ChoiceField(choices=[state.value for state in DeliveryState])
    attempts = serializers.IntegerField()
    next_attempt_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    settled_at = serializers.DateTimeField(allow_null=True)


class DeliveryWithLog(DeliveryShape):
    """A delivery with what was posted and how each attempt went."""

    body = serializers.CharField()
    log = AttemptShape(many=True)


class DeliveryPage(serializers.Serializer[Any]):
    """Deliveries of an endpoint, newest first."""

    data = DeliveryShape(many=True)  # type: ignore[assignment] # the name is the API's
    next_cursor = serializers.CharField(allow_null=True)


class RedeliveredShape(serializers.Serializer[Any]):
    """How many are sent again. `next_after`: there are more, call again with it as `after`."""

    redelivered = serializers.IntegerField()
    next_after = serializers.UUIDField(allow_null=True)
