"""Ids: UUIDv7, so that the newest row is the last one of every index."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """Return a fresh UUIDv7; ids made by one process are strictly increasing."""
    return uuid7()
