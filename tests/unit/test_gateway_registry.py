"""Each account has one adapter in a process, built at its first use from the settings."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from payments.gateways import registry
from payments.gateways.errors import UnknownGatewayError
from payments.gateways.registry import gateway, gateway_names, install
from payments.testing import FakeGateway
from resilience.errors import Operational


@pytest.fixture(autouse=True)
def two_accounts(settings):
    settings.GATEWAYS = [
        {"name": "main", "url": "http://127.0.0.1:9001", "secret_key": "sk_test_main"},
        {"name": "live", "secret_key": "sk_live_other", "return_url": "https://shop.example/back"},
    ]
    registry.reset()
    yield
    registry.reset()


def test_an_account_has_the_url_of_the_settings_or_is_stripe_itself():
    assert gateway_names() == ["main", "live"]
    assert [repr(gateway(name)) for name in gateway_names()] == [
        "StripeGateway(name='main', url='http://127.0.0.1:9001')",
        "StripeGateway(name='live', url='https://api.stripe.com')",
    ]


def test_threads_that_race_share_one_adapter():
    start = threading.Barrier(16)

    def first_use(_number):
        start.wait(5)
        return gateway("main")

    with ThreadPoolExecutor(16) as pool:
        adapters = list(pool.map(first_use, range(16)))

    assert {id(adapter) for adapter in adapters} == {id(gateway("main"))}


def test_an_account_that_is_not_configured_waits_for_an_operator():
    with pytest.raises(UnknownGatewayError) as error:
        gateway("gone")

    assert isinstance(error.value, Operational)
    assert error.value.facts == {"name": "gone"}


def test_an_installed_adapter_answers_until_the_reset():
    fake = FakeGateway(name="main")
    install(fake)

    assert gateway("main") is fake

    registry.reset()
    assert repr(gateway("main")).startswith("StripeGateway")
