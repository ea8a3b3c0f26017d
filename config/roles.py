"""The two roles of staff: who may look at everything, and who may act as well.

Not by a migration: permissions come to be after those, and a role that a hand changed would stay so.
"""

from django.contrib.auth.models import Group, Permission

VIEWER, OPERATOR = "viewer", "operator"
# What a viewer has no need to see: who may sign in, and how.
_NOT_FOR_VIEWERS = frozenset({"auth", "admin", "contenttypes", "sessions", "otp_totp", "otp_static"})
_OPERATE = "operate"


def ensure_roles() -> None:
    """Make the groups `viewer` and `operator`, or give them what a new version has more; idempotent."""
    views = list(
        Permission.objects.using("default")
        .filter(codename__startswith="view_")
        .exclude(content_type__app_label__in=_NOT_FOR_VIEWERS)
    )
    acts = list(
        Permission.objects.using("default").filter(content_type__app_label="resilience", codename=_OPERATE)
    )
    for name, permissions in ((VIEWER, views), (OPERATOR, views + acts)):
        group, _is_new = Group.objects.using("default").get_or_create(name=name)
        group.permissions.add(*permissions)
