"""Operators at the same moment: one code opens one session, and two who act do it once."""

import time

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django_otp.oath import TOTP

from config.dashboard.second_factor.devices import confirm, proves, unconfirmed_device
from config.roles import ensure_roles
from payments.models import Dispute, Payment, Refund
from payments.states import PaymentStatus
from resilience import clock
from resilience.audit_trail.models import StaffAction
from resilience.ids import new_id
from resilience.saga.models import OperatorAction, Saga
from resilience.saga.states import SagaStatus
from tests.admin_rows import make_payment, make_saga
from tests.together import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def test_one_code_opens_one_session():
    ann = User.objects.create_superuser("ann", password="a long password")
    device = unconfirmed_device(ann)
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits)
    totp.time = time.time() - device.step
    codes = confirm(ann, f"{totp.token():06d}", now=clock.now())
    assert codes is not None
    totp.time = time.time()
    now = f"{totp.token():06d}"

    assert sum(at_once([lambda: proves(ann, now)] * 8)) == 1
    assert sum(at_once([lambda: proves(ann, codes[0])] * 8)) == 1


def test_two_tabs_set_up_one_app():
    ann = User.objects.create_superuser("ann", password="a long password")

    devices = at_once([lambda: unconfirmed_device(ann).pk] * 6)

    assert len(set(devices)) == 1


def test_one_form_sent_many_times_at_once_gives_back_once():
    ann = User.objects.create_superuser("ann", password="a long password")
    payment = Payment.objects.get(pk=make_payment(0))
    Dispute.objects.filter(payment=payment).delete()
    Refund.objects.filter(payment=payment).delete()
    Payment.objects.filter(pk=payment.pk).update(
        **{"status": PaymentStatus.CAPTURED, "captured_minor": 1789, "in_doubt_since": None}
    )
    clients = [Client() for _ in range(6)]
    for client in clients:
        client.force_login(ann)
    form = {"reason": "a broken cup", "amount": "1.00", "once": str(new_id())}

    def act(client: Client) -> int:
        return client.post(f"/admin/act/payment-refund/?id={payment.pk}", form).status_code

    assert at_once([lambda client=client: act(client) for client in clients]) == [302] * 6
    assert Refund.objects.filter(payment=payment).count() == 1
    assert StaffAction.objects.count() == 1


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
        form = {"reason": "why", "once": str(new_id())}
        return client.post(f"/admin/act/saga-retry/?id={saga_id}", form).status_code

    assert at_once([lambda client=client: act(client) for client in clients]) == [302] * 6
    assert OperatorAction.objects.count() == 1
