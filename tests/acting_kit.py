"""People who act from the dashboard in tests, the forms that they send, and what they act on."""

from urllib.parse import urlencode
from uuid import uuid4

from django.contrib.auth.models import Group, Permission, User
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from config.roles import OPERATOR, VIEWER, ensure_roles
from payments.models import Dispute, Payment, Refund
from payments.states import PaymentStatus
from resilience.saga.models import Saga
from resilience.saga.states import SagaStatus
from tests.admin_rows import make_payment, make_saga

LIST = "/admin/resilience/saga/"


def person(name: str, role: str) -> Client:
    """Return somebody of the staff with one of the roles, signed in."""
    ensure_roles()
    user = User.objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


def act(
    client: Client, name: str, *ids: object, follow: bool = False, back: str = LIST, **values: str
) -> HttpResponse:
    """Send the form of an act, each time a new one unless `once` names it."""
    form = {"reason": "because", "once": str(uuid4()), **values}
    return client.post(address(name, *ids, back=back), form, follow=follow)


def address(name: str, *ids: object, back: str = LIST) -> str:
    """Return where an act on these subjects is asked for, and what it leads back to."""
    return f"{reverse('dashboard:act', args=[name])}?{urlencode({'id': list(ids), 'next': back}, doseq=True)}"


def parked_saga() -> Saga:
    """Make a placement that is parked at its second step."""
    saga = Saga.objects.get(pk=make_saga(0))
    Saga.objects.filter(pk=saga.pk).update(
        **{"status": SagaStatus.PARKED, "parked_from": "running", "parked_reason": "crashed 3 times"}
    )
    saga.refresh_from_db()
    return saga


def captured_payment(*, number: int = 0) -> Payment:
    """Make a payment of 17.89 EUR that was taken, and of which nothing went back."""
    payment = Payment.objects.get(pk=make_payment(number))
    Dispute.objects.filter(payment=payment).delete()
    Refund.objects.filter(payment=payment).delete()
    Payment.objects.filter(pk=payment.pk).update(
        **{"status": PaymentStatus.CAPTURED, "captured_minor": 1789, "in_doubt_since": None}
    )
    payment.refresh_from_db()
    return payment


def an_operator() -> Client:
    """Return who may act; an administrator of people too, so that every act is theirs."""
    client = person("ann", OPERATOR)
    User.objects.get(username="ann").user_permissions.add(Permission.objects.get(codename="change_user"))
    return client


def a_viewer() -> Client:
    """Return who may look only."""
    return person("bob", VIEWER)
