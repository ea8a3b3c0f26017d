"""The second factor: asked for beside the password, each code once, and required where that is said."""

import re
import time
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from config.dashboard.second_factor.devices import PAPER_CODES, confirm, unconfirmed_device
from resilience import clock
from resilience.audit_trail.models import StaffAction

pytestmark = pytest.mark.django_db

SETUP = "/admin/second-factor/"
SIGN_IN = "/admin/login/"
PASSWORD = "a long password"


@pytest.fixture
def ann() -> User:
    user: User = User.objects.create_superuser("ann", password=PASSWORD)
    return user


def code_of(device: TOTPDevice, *, steps: int = 0) -> str:
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits)
    totp.time = time.time() + steps * device.step
    return f"{totp.token():06d}"


def sign_in(code: str = "", password: str = PASSWORD) -> tuple[Client, int]:
    client = Client()
    answer = client.post(SIGN_IN, {"username": "ann", "password": password, "code": code})
    return client, answer.status_code


def set_up(user: User) -> tuple[TOTPDevice, list[str]]:
    device = unconfirmed_device(user)
    codes = confirm(user, code_of(device, steps=-1), now=clock.now())
    assert codes is not None
    device.refresh_from_db()
    return device, codes


def test_who_has_none_signs_in_with_the_password_alone(ann: User):
    client, status = sign_in()

    assert status == 302
    assert client.get("/admin/").status_code == 200


def test_it_is_set_up_with_the_first_code_and_kept_in_the_audit_trail(ann: User):
    client, _status = sign_in()
    page = unescape(client.get(SETUP).content.decode())
    device = TOTPDevice.objects.get(user=ann)

    wrong = client.post(SETUP, {"code": "000000"})
    TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    right = client.post(SETUP, {"code": code_of(device)})

    assert "<svg" in page
    assert wrong.status_code == 400
    assert len(re.findall(r"<li><code>[a-z2-7]{8}</code></li>", right.content.decode())) == PAPER_CODES
    assert [deed.action for deed in StaffAction.objects.all()] == ["second-factor"]


def test_then_the_password_alone_is_not_enough(ann: User):
    device, _codes = set_up(ann)

    assert sign_in()[1] == 200
    assert sign_in("123456")[1] == 200
    TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    client, status = sign_in(code_of(device))
    assert status == 302
    assert client.get("/admin/").status_code == 200


def test_a_code_is_good_once(ann: User):
    device, _codes = set_up(ann)
    code = code_of(device)

    assert sign_in(code)[1] == 302
    assert sign_in(code)[1] == 200


def test_a_code_on_paper_is_good_once(ann: User):
    _device, codes = set_up(ann)

    assert sign_in(codes[0].upper())[1] == 302
    assert sign_in(codes[0])[1] == 200
    StaticDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    assert sign_in(codes[1])[1] == 302


def test_guessing_is_slowed_down(ann: User):
    device, _codes = set_up(ann)

    sign_in("000000")

    device.refresh_from_db()
    assert device.throttling_failure_count == 1
    # After the tenth that is a quarter of an hour, however slow this machine is.
    TOTPDevice.objects.update(throttling_failure_count=10, throttling_failure_timestamp=clock.now())
    assert sign_in(code_of(device))[1] == 200


def test_of_what_is_wrong_nothing_is_said(ann: User):
    set_up(ann)

    wrong = Client().post(SIGN_IN, {"username": "ann", "password": "wrong", "code": ""}).content.decode()
    missing = Client().post(SIGN_IN, {"username": "ann", "password": PASSWORD, "code": ""}).content.decode()

    assert "Name, password or code is wrong" in wrong
    assert "Name, password or code is wrong" in missing


def test_where_it_is_required_nothing_else_is_shown_before(ann: User, settings: Any):
    settings.SECOND_FACTOR_REQUIRED = True
    client, _status = sign_in()

    for path in ("/admin/", "/admin/sagas/", "/admin/orders/order/"):
        answer = client.get(path)
        assert (answer.status_code, answer["Location"]) == (302, SETUP)
    device = TOTPDevice.objects.get(user=ann) if client.get(SETUP).status_code == 200 else None
    assert device is not None
    assert client.post(SETUP, {"code": code_of(device)}).status_code == 200
    assert client.get("/admin/orders/order/").status_code == 200


def test_a_session_from_before_cannot_replace_it(ann: User):
    old, _status = sign_in()
    device, _codes = set_up(ann)

    answer = old.get(SETUP, follow=True)

    assert answer.status_code == 200
    assert 'name="code"' in answer.content.decode()
    assert "_auth_user_id" not in old.session
    assert TOTPDevice.objects.filter(pk=device.pk, confirmed=True).exists()


@pytest.mark.parametrize("first", ["/admin/", SETUP, SIGN_IN])
def test_a_session_from_before_it_was_required_is_led_to_sign_in(ann: User, settings: Any, first: str):
    old, _status = sign_in()
    device, _codes = set_up(ann)
    settings.SECOND_FACTOR_REQUIRED = True

    answer = old.get(first, follow=True)

    assert answer.status_code == 200
    assert 'name="code"' in answer.content.decode()
    signed_in = old.post(SIGN_IN, {"username": "ann", "password": PASSWORD, "code": code_of(device)})
    assert signed_in.status_code == 302
    assert old.get("/admin/").status_code == 200


def test_who_signs_in_over_somebody_elses_session_is_let_in(ann: User, settings: Any):
    User.objects.create_superuser("bob", password=PASSWORD)
    client = Client()
    client.post(SIGN_IN, {"username": "bob", "password": PASSWORD, "code": ""})
    device, _codes = set_up(ann)
    settings.SECOND_FACTOR_REQUIRED = True

    client.post(SIGN_IN, {"username": "ann", "password": PASSWORD, "code": code_of(device)})

    assert client.get("/admin/").status_code == 200


def test_an_open_session_alone_cannot_replace_it(ann: User):
    device, codes = set_up(ann)
    client, _status = sign_in(code_of(device))
    client.get(SETUP)
    new = TOTPDevice.objects.get(user=ann, confirmed=False)

    without = client.post(SETUP, {"code": code_of(new)})
    wrong = client.post(SETUP, {"code": code_of(new), "current": "000000"})
    with_paper = client.post(SETUP, {"code": code_of(new), "current": codes[3]})

    assert (without.status_code, wrong.status_code, with_paper.status_code) == (400, 400, 200)
    assert [row.pk for row in TOTPDevice.objects.filter(user=ann)] == [new.pk]


def test_a_page_that_was_open_before_is_told_and_makes_nothing(ann: User, settings: Any):
    client, _status = sign_in()
    settings.SECOND_FACTOR_REQUIRED = True

    assert client.get("/admin/now.json").status_code == 403
    assert not TOTPDevice.objects.exists()


def test_blanks_in_a_code_do_not_count(ann: User):
    device, _codes = set_up(ann)
    code = code_of(device)

    assert sign_in(f"{code[:3]} {code[3:]}")[1] == 302


def test_nobody_can_look_at_the_seeds_of_others(ann: User):
    device, _codes = set_up(ann)
    client, _status = sign_in(code_of(device))

    assert client.get(f"/admin/otp_totp/totpdevice/{device.pk}/change/").status_code == 404
    assert client.get("/admin/otp_static/staticdevice/").status_code == 404
