"""Operators at the same moment: one code opens one session, and two who act do it once."""

import time

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django_otp.oath import TOTP

from config.dashboard.second_factor.devices import confirm, proves, unconfirmed_device
from config.roles import ensure_roles
from resilience.saga.models import OperatorAction, Saga
from resilience.saga.states import SagaStatus
from tests.admin_rows import make_saga
from tests.together import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def test_one_code_opens_one_session():
    ann = User.objects.create_superuser("ann", password="a long password")
    device = unconfirmed_device(ann)
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits)
    totp.time = time.time() - device.step
    codes = confirm(ann, f"{totp.token():06d}")
    assert codes is not None
    totp.time = time.time()
    now = f"{totp.token():06d}"

    assert sum(at_once([lambda: proves(ann, now)] * 8)) == 1
    assert sum(at_once([lambda: proves(ann, codes[0])] * 8)) == 1


def test_of_many_who_try_a_saga_again_one_does():
    ensure_roles()
    ann = User.objects.create_superuser("ann", password="a long password")
    saga_id = make_saga(0)
    Saga.objects.filter(pk=saga_id).update(
        **{"status": SagaStatus.PARKED, "parked_from": "running", "parked_reason": "a drill"}
    )
    clients = [Client() for _ in range(6)]
    for client in clients:
        client.force_login(ann)

    def act(client: Client) -> int:
        return client.post(f"/admin/act/saga-retry/?id={saga_id}", {"reason": "why"}).status_code

    assert at_once([lambda client=client: act(client) for client in clients]) == [302] * 6
    assert OperatorAction.objects.count() == 1
