"""A channel whose connection is gone says so, in the words that a worker lives through."""

import pytest
from kombu import Connection, Queue

from config import broker


def test_what_is_acknowledged_over_a_lost_connection_is_a_connection_error(redis_url: str) -> None:
    broker.install()
    with Connection(redis_url) as connection:
        channel = connection.channel()
        queue = Queue("test-broker", channel=channel)
        queue.declare()
        channel.basic_publish(channel.prepare_message("hint"), exchange="", routing_key="test-broker")
        message = queue.get()
        assert message is not None
        # What a consumer does with a connection that was lost; the task in hand goes on.
        lost, channel.connection, channel._pool = channel.connection, None, None
        with pytest.raises(connection.connection_errors):
            message.ack()
        channel.connection = lost
        message.ack()
        queue.delete()
