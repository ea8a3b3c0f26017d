"""What a person has to prove who they are: an app that shows codes (TOTP, RFC 6238), and codes on paper."""

import base64
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from resilience.audit_trail import Deed, keep
from resilience.routing.databases import PRIMARY

_NAME = "app"
_PAPER = "paper"
# Each signs in once. Ten outlast a lost phone and a new one.
PAPER_CODES = 10
_PAPER_BYTES = 5
_APP_DIGITS = 6


def has_second_factor(user: User) -> bool:
    """Tell whether `user` has set one up, as the primary knows it."""
    return TOTPDevice.objects.using(PRIMARY).filter(user=user, confirmed=True).exists()


def proves(user: User, code: str) -> bool:
    """Tell whether `code` is of the app (six digits) or the paper of `user`; each is taken once.

    Blanks do not count: apps show some. A wrong one makes that device wait, longer each time, not the other.
    """
    code = "".join(code.split()).lower()
    kind = TOTPDevice if code.isdigit() and len(code) == _APP_DIGITS else StaticDevice
    with transaction.atomic(using=PRIMARY):
        # Locked, so that one code cannot open two sessions at the same moment.
        rows = kind.objects.using(PRIMARY).select_for_update().filter(user=user, confirmed=True)
        device = rows.order_by("pk").first()
        return device is not None and bool(code) and bool(device.verify_token(code))


def unconfirmed_device(user: User) -> TOTPDevice:
    """Return the app that `user` is setting up; the same one until its first code was right."""
    with _locked(user):
        rows = TOTPDevice.objects.using(PRIMARY).filter(user=user, confirmed=False)
        device = rows.order_by("pk").first()
        return device or TOTPDevice.objects.using(PRIMARY).create(user=user, name=_NAME, confirmed=False)


def confirm(user: User, code: str, *, now: datetime) -> list[str] | None:
    """Take the app that is being set up instead of any other, if `code` is its code now, and keep the deed.

    Returns new codes for paper, each good once; None when the code is wrong.
    """
    with _locked(user):
        rows = TOTPDevice.objects.using(PRIMARY).filter(user=user, confirmed=False)
        device = rows.order_by("pk").first()
        if device is None or not device.verify_token(code):
            return None
        _drop(user)
        device.confirmed = True
        device.save(using=PRIMARY)
        paper = StaticDevice.objects.using(PRIMARY).create(user=user, name=_PAPER)
        codes = [_paper_code() for _ in range(PAPER_CODES)]
        StaticToken.objects.using(PRIMARY).bulk_create(
            StaticToken(device=paper, token=code) for code in codes
        )
        name = user.get_username()
        keep(Deed("second-factor", name, name, "their own", now), outcome="was set up")
    return codes


def reset(user: User) -> None:
    """Take away what `user` has set up, so that the password alone signs in, or sets up another."""
    with _locked(user):
        _drop(user)
        TOTPDevice.objects.using(PRIMARY).filter(user=user).delete()


def _drop(user: User) -> None:
    TOTPDevice.objects.using(PRIMARY).filter(user=user, confirmed=True).delete()
    StaticDevice.objects.using(PRIMARY).filter(user=user).delete()


@contextmanager
def _locked(user: User) -> Iterator[None]:
    """Let nobody else change the devices of `user` within this block: two tabs would make two."""
    with transaction.atomic(using=PRIMARY):
        User.objects.using(PRIMARY).select_for_update(no_key=True).get(pk=user.pk)
        yield


def _paper_code() -> str:
    return base64.b32encode(secrets.token_bytes(_PAPER_BYTES)).decode().lower()
