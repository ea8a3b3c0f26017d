"""Django's door to read routing (settings.DATABASE_ROUTERS)."""

from django.db.models import Model

from resilience.routing.databases import PRIMARY
from resilience.routing.scope import database_for_reads, database_for_writes

# Who somebody is, and what they may do, is never answered from a stale copy.
_PRIMARY_ONLY_APPS = frozenset({"admin", "auth", "contenttypes", "sessions"})


class ReplicaRouter:
    """Writes go to the primary; reads where `resilience.routing.scope` says."""

    def db_for_read(self, model: type[Model], **hints: object) -> str:
        return PRIMARY if model._meta.app_label in _PRIMARY_ONLY_APPS else database_for_reads()

    def db_for_write(self, model: type[Model], **hints: object) -> str:
        return database_for_writes()

    def allow_relation(self, first: Model, second: Model, **hints: object) -> bool:
        """Allow it: both aliases hold the same rows."""
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: object) -> bool:
        return db == PRIMARY
