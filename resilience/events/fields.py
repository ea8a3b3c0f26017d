"""Two column types of PostgreSQL that Django does not know; the log needs both."""

from typing import Any

from django.db import models


class Xid8Field(models.Field):
    """A 64-bit transaction id, which never wraps round; an int in Python."""

    def db_type(self, connection: Any) -> str:
        return "xid8"

    def from_db_value(self, value: str | None, _expression: Any, _connection: Any) -> int | None:
        # psycopg has no loader for xid8 and hands over its text.
        return None if value is None else int(value)

    def get_prep_value(self, value: int | None) -> str | None:
        return None if value is None else str(value)


class IdentityField(models.BigIntegerField):
    """A number that PostgreSQL gives out, for a column that is not the primary key."""

    def db_type(self, connection: Any) -> str:
        return "bigint GENERATED ALWAYS AS IDENTITY"
