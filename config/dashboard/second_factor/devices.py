"""What a person has to prove who they are: an app that shows codes (TOTP, RFC 6238), and codes on paper."""

import base64
import secrets

from django.contrib.auth.models import User
from django.db import transaction
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

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
    """Tell whether `code` is of the app or the paper of `user`; each is taken once.

    A wrong one makes that device wait, longer each time, and the other not.
    """
    kind = TOTPDevice if len(code) == _APP_DIGITS else StaticDevice
    with transaction.atomic(using=PRIMARY):
        # Locked, so that one code cannot open two sessions at the same moment.
        rows = kind.objects.using(PRIMARY).select_for_update().filter(user=user, confirmed=True)
        device = rows.first()
        return device is not None and bool(device.verify_token(code))


def unconfirmed_device(user: User) -> TOTPDevice:
    """Return the app that `user` is setting up; the same one until its first code was right."""
    device, _is_new = TOTPDevice.objects.using(PRIMARY).get_or_create(user=user, name=_NAME, confirmed=False)
    return device


def confirm(user: User, code: str) -> list[str] | None:
    """Take the app that is being set up instead of any other, if `code` is its code now.

    Returns new codes for paper, each good once; None when the code is wrong.
    """
    with transaction.atomic(using=PRIMARY):
        rows = TOTPDevice.objects.using(PRIMARY).select_for_update().filter(user=user, confirmed=False)
        device = rows.first()
        if device is None or not device.verify_token(code):
            return None
        TOTPDevice.objects.using(PRIMARY).filter(user=user, confirmed=True).delete()
        StaticDevice.objects.using(PRIMARY).filter(user=user).delete()
        device.confirmed = True
        device.save(using=PRIMARY)
        paper = StaticDevice.objects.using(PRIMARY).create(user=user, name=_PAPER)
        codes = [_paper_code() for _ in range(PAPER_CODES)]
        StaticToken.objects.using(PRIMARY).bulk_create(
            StaticToken(device=paper, token=code) for code in codes
        )
    return codes


def _paper_code() -> str:
    return base64.b32encode(secrets.token_bytes(_PAPER_BYTES)).decode().lower()
