"""Flags: no name without an owner, and none that outlives its date."""

from collections.abc import Sequence

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections

from resilience import clock
from resilience.flags import Declaration, Flag, declared

_TABLES = ("waffle_flag", "waffle_switch", "waffle_sample")


@register()
def check_declarations(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """Check that what is meant to go has a date (holdfast.E020), and has gone by then (W021)."""
    today = clock.now().date()
    return [
        *(
            Error(
                f"The flag {one.name!r} has no date by which it is removed: it would stay for ever.",
                hint="Give it remove_by; only switches may stay.",
                id="holdfast.E020",
            )
            for one in declared()
            if isinstance(one, Flag) and one.remove_by is None
        ),
        *(
            Warning(
                f"The flag {one.name!r} of {one.owner} should have been removed by {one.remove_by}.",
                hint="Remove it together with the side that lost, or give it a later date and a reason.",
                id="holdfast.W021",
            )
            for one in declared()
            if _is_overdue(one, today)
        ),
    ]


@register(Tags.database)
def check_rows(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: object
) -> list[CheckMessage]:
    """Check that operators set nothing that no code reads (holdfast.W022)."""
    if "default" not in (databases or ()):
        return []
    known = {one.name for one in declared()}
    with connections["default"].cursor() as cursor:
        tables = connections["default"].introspection.table_names(cursor)
        if not set(_TABLES) <= set(tables):
            return []  # before the first migration
        cursor.execute(" UNION ".join(f"SELECT name FROM {table}" for table in _TABLES))  # noqa: S608
        names = {name for (name,) in cursor.fetchall()}
    return [
        Warning(
            f"{name!r} is set, but nobody reads it: turning it does nothing.",
            hint="Delete the row, or declare the name where it is used (resilience.flags).",
            id="holdfast.W022",
        )
        for name in sorted(names - known)
    ]


def _is_overdue(one: Declaration, today: object) -> bool:
    return one.remove_by is not None and today > one.remove_by  # type: ignore[operator]
