"""Events over HTTP, as the OpenAPI document describes them."""

from typing import Any

from rest_framework import serializers


class CloudEvent(serializers.Serializer[Any]):
    """A fact in the JSON format of CloudEvents 1.0. `data` is as its type's JSON Schema says."""

    specversion = serializers.ChoiceField(choices=["1.0"])
    id = serializers.UUIDField()
    source = serializers.CharField()  # type: ignore[assignment]
    type = serializers.CharField()
    typeversion = serializers.IntegerField(help_text="the version of the type's schema")
    subject = serializers.CharField(help_text="the aggregate's id")
    time = serializers.DateTimeField(help_text="when it happened")
    sequence = serializers.CharField(help_text="its number within its aggregate, from 1, zero-padded")
    datacontenttype = serializers.CharField()
    data = serializers.DictField()  # type: ignore[assignment] # the name is CloudEvents'


class EventPage(serializers.Serializer[Any]):
    """Events in the order of the log. `next_cursor` goes on behind them, now or in a year."""

    data = CloudEvent(many=True)  # type: ignore[assignment] # the name is the API's
    next_cursor = serializers.CharField()
