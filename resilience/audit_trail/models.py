"""What people did that has no log of its own, and the view over all such logs."""

from typing import ClassVar

from django.db import models

from resilience.ids import new_id


class StaffAction(models.Model):
    """What a person did to something that keeps no log of such things itself: append-only.

    `subject` names what it was done to, such as an order's id; `outcome` is what came of it, in words.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    action = models.CharField(max_length=32)
    subject = models.CharField(max_length=150)
    # Of the form that was sent: the same one sent twice does it once.
    once = models.UUIDField(null=True)
    by = models.CharField(max_length=150)
    reason = models.TextField()
    outcome = models.TextField(default="")
    at = models.DateTimeField()

    objects: "ClassVar[models.Manager[StaffAction]]" = models.Manager()

    class Meta:
        app_label = "resilience"
        db_table = "resilience_staff_action"
        default_permissions = ("view",)
        permissions: ClassVar = [("operate", "Can act on orders, payments, sagas, breakers, flags, events")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["once", "subject"],
                condition=models.Q(once__isnull=False),
                name="a_form_does_its_deed_once",
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["-at"], name="staff_action_by_time"),
            models.Index(fields=["subject", "-at"], name="staff_action_by_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.by}: {self.action} {self.subject} ({self.reason})"


class AuditTrail(models.Model):
    """One deed of any log, read from a view of the database (migration 0020).

    `area` is one of saga, breaker, flag, subscription, staff; `id` is the row's id in its log.
    """

    id = models.UUIDField(primary_key=True)
    at = models.DateTimeField()
    area = models.CharField(max_length=16)
    action = models.TextField()
    subject = models.TextField()
    by = models.TextField()
    reason = models.TextField()
    outcome = models.TextField()

    objects: "ClassVar[models.Manager[AuditTrail]]" = models.Manager()

    class Meta:
        app_label = "resilience"
        db_table = "resilience_audit_trail"
        managed = False
        default_permissions = ("view",)
        verbose_name = "deed"
        verbose_name_plural = "audit trail"

    def __str__(self) -> str:
        return f"{self.by}: {self.action} {self.subject}"
