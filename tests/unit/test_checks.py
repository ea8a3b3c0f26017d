import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
import redis
import stripe
from django.conf import settings
from django.core.cache import cache
from django.core.checks import WARNING, CheckMessage, run_checks
from django.db import OperationalError, connections
from redis.backoff import NoBackoff
from redis.retry import Retry

from orders import checks as order_checks
from orders import sagas
from payments import checks as payment_checks
from payments import public
from payments.gateways.guarded import GuardedClient
from payments.steps import exchange
from resilience.caching import Namespace
from resilience.checks import broker, caches, idempotency, production, retries
from resilience.checks.databases import check_connections, check_servers
from resilience.idempotency import store
from resilience.saga import dispatcher


def _ids(problems: Sequence[CheckMessage]) -> list[str | None]:
    return [problem.id for problem in problems]


def test_this_installation_passes():
    ours = [problem for problem in run_checks() if str(problem.id).startswith("holdfast.")]

    assert ours == []


@pytest.mark.parametrize(
    ("name", "value", "id"),
    [
        ("CELERY_TASK_ACKS_LATE", False, "holdfast.E001"),
        ("CELERY_TASK_REJECT_ON_WORKER_LOST", False, "holdfast.E002"),
        ("CELERY_TASK_SERIALIZER", "pickle", "holdfast.E003"),
        ("CELERY_ACCEPT_CONTENT", ["json", "pickle"], "holdfast.E003"),
        ("CELERY_WORKER_PREFETCH_MULTIPLIER", 4, "holdfast.E004"),
        ("CELERY_TASK_TIME_LIMIT", None, "holdfast.E005"),
        ("CELERY_TASK_TIME_LIMIT", 60, "holdfast.E005"),
        ("CELERY_TASK_IGNORE_RESULT", False, "holdfast.E007"),
        ("CELERY_RESULT_BACKEND", "redis://", "holdfast.E007"),
    ],
)
def test_a_celery_setting_that_loses_messages_is_refused(monkeypatch, name, value, id):
    monkeypatch.setattr(settings, name, value, raising=False)

    assert _ids(broker.check_broker(None)) == [id]


@pytest.mark.parametrize(
    ("option", "value", "id"),
    [
        ("visibility_timeout", None, "holdfast.E005"),
        ("visibility_timeout", float("inf"), "holdfast.E005"),
        ("visibility_timeout", 50, "holdfast.E005"),
        ("socket_timeout", None, "holdfast.E008"),
        ("socket_connect_timeout", 0, "holdfast.E008"),
    ],
)
def test_a_broker_without_limits_is_refused(monkeypatch, option, value, id):
    monkeypatch.setitem(settings.CELERY_BROKER_TRANSPORT_OPTIONS, option, value)

    assert _ids(broker.check_broker(None)) == [id]


@pytest.mark.parametrize("package", ["celery", "kombu"])
def test_a_version_that_stops_consuming_is_refused(monkeypatch, package):
    monkeypatch.setattr(broker, "version", lambda asked: "5.6.3" if asked == package else "5.10.0rc1")

    assert _ids(broker.check_broker(None)) == ["holdfast.E006"]


@pytest.mark.parametrize("timeout", ["SOCKET_TIMEOUT", "SOCKET_CONNECT_TIMEOUT"])
def test_a_redis_cache_without_timeouts_is_refused(monkeypatch, timeout):
    monkeypatch.delitem(settings.CACHES["default"]["OPTIONS"], timeout)

    assert _ids(caches.check_caches(None)) == ["holdfast.E010"]


@pytest.mark.parametrize(
    ("name", "value", "id"),
    [
        ("CELERY_TASK_PUBLISH_RETRY", True, "holdfast.E060"),
        ("CELERY_BROKER_TRANSPORT_OPTIONS", {"retry_on_timeout": True}, "holdfast.E061"),
    ],
)
def test_a_broker_client_that_retries_under_our_loop_is_refused(monkeypatch, name, value, id):
    monkeypatch.setattr(settings, name, value)

    assert _ids(retries.check_retries(None)) == [id]


@pytest.mark.parametrize("options", [{}, {"retry": Retry(NoBackoff(), 1)}], ids=["default", "once more"])
def test_a_dispatcher_whose_redis_client_retries_is_refused(monkeypatch, options):
    client = redis.Redis(**options)
    monkeypatch.setattr(dispatcher, "broker_client", lambda: client)

    assert _ids(retries.check_retries(None)) == ["holdfast.E062"]


@pytest.mark.parametrize(
    "pool", [{}, {"retry": None}, {"retry": Retry(NoBackoff(), 3)}, {"retry": Retry(NoBackoff(), -1)}]
)
def test_a_cache_that_retries_within_a_request_is_refused(monkeypatch, pool):
    monkeypatch.setitem(settings.CACHES["default"]["OPTIONS"], "CONNECTION_POOL_KWARGS", pool)

    assert _ids(retries.check_retries(None)) == ["holdfast.E063"]


def test_the_caches_client_tries_once():
    connection = cache.client.get_client().connection_pool.make_connection()

    assert connection.retry.get_retries() == 0


def test_a_sdk_that_retries_is_refused(monkeypatch):
    monkeypatch.setattr(stripe, "max_network_retries", 2)
    assert _ids(payment_checks.check_payments(None)) == ["holdfast.E044"]


def test_a_client_under_the_sdk_that_retries_is_refused(monkeypatch):
    monkeypatch.delattr(GuardedClient, "request_with_retries")
    assert _ids(payment_checks.check_payments(None)) == ["holdfast.E044"]


def test_answers_that_are_forgotten_too_early_or_never_are_refused(monkeypatch):
    monkeypatch.setattr(store, "KEPT", timedelta(hours=23))
    monkeypatch.setattr(settings, "CELERY_BEAT_SCHEDULE", {})

    assert _ids(idempotency.check_idempotency(None)) == ["holdfast.E011", "holdfast.E012"]


@pytest.mark.parametrize("kept", [timedelta(hours=24), timedelta(hours=23, minutes=59), timedelta(days=2)])
def test_a_key_that_is_used_when_gateways_have_forgotten_it_is_refused(monkeypatch, kept):
    monkeypatch.setattr(exchange, "KEY_KEPT", kept)

    assert _ids(payment_checks.check_payments(None)) == ["holdfast.E040"]


def test_a_key_that_is_given_up_before_an_absence_means_anything_is_refused(monkeypatch):
    monkeypatch.setattr(exchange, "READS_LAG_MAX", exchange.KEY_KEPT)

    assert _ids(payment_checks.check_payments(None)) == ["holdfast.E041"]


@pytest.mark.parametrize(
    "schedule", [{}, {"watch": {"task": payment_checks.WATCH, "schedule": 6000.0}}], ids=str
)
def test_holds_that_nobody_looks_at_in_time_are_refused(monkeypatch, schedule):
    monkeypatch.setattr(settings, "CELERY_BEAT_SCHEDULE", schedule)

    assert _ids(payment_checks.check_payments(None)) == ["holdfast.E042"]


@pytest.mark.parametrize(
    ("lasts_at_most", "time_to_pay"),
    [(timedelta(minutes=15), timedelta()), (timedelta(hours=24), timedelta(days=4))],
    ids=["3-D Secure", "slips"],
)
def test_an_order_that_is_given_up_before_its_payer_is_refused(monkeypatch, lasts_at_most, time_to_pay):
    monkeypatch.setattr(sagas, "PLACE_ORDER", replace(sagas.PLACE_ORDER, lasts_at_most=lasts_at_most))
    monkeypatch.setattr(public, "time_to_pay", lambda *, tenders: time_to_pay)

    assert _ids(order_checks.check_orders(None)) == ["holdfast.E050"]


def test_a_connection_without_a_limit_is_refused(monkeypatch):
    monkeypatch.delitem(settings.DATABASES["default"]["OPTIONS"], "connect_timeout")

    assert _ids(check_connections(None)) == ["holdfast.E020"]


def test_a_primary_that_need_not_take_writes_is_refused(monkeypatch):
    monkeypatch.setitem(settings.DATABASES["default"]["OPTIONS"], "target_session_attrs", "any")

    assert _ids(check_connections(None)) == ["holdfast.E026"]


def test_a_pool_beside_kept_connections_is_refused(monkeypatch):
    monkeypatch.setitem(settings.DATABASES["replica"]["OPTIONS"], "pool", {"max_size": 4})

    monkeypatch.setitem(settings.DATABASES["replica"], "CONN_MAX_AGE", None)
    both = check_connections(None)
    monkeypatch.setitem(settings.DATABASES["replica"], "CONN_MAX_AGE", 0)
    pool_only = check_connections(None)

    assert _ids(both) == ["holdfast.E021"]
    assert pool_only == []


@pytest.mark.parametrize("program", ["/venv/bin/celery", "/venv/site-packages/celery/__main__.py"])
def test_a_pool_in_a_celery_worker_is_refused(monkeypatch, program):
    monkeypatch.setattr(sys, "argv", [program, "-A", "config", "worker"])
    monkeypatch.setitem(settings.DATABASES["default"]["OPTIONS"], "pool", {"max_size": 4})
    monkeypatch.setitem(settings.DATABASES["default"], "CONN_MAX_AGE", 0)

    assert _ids(check_connections(None)) == ["holdfast.E022"]


@pytest.mark.parametrize(
    ("name", "value", "id"),
    [
        ("SECRET_KEY", "insecure-development-key-of-holdfast", "holdfast.E030"),
        ("CRASHPOINTS", True, "holdfast.E031"),
        ("GATEWAYS", [], "holdfast.E032"),
    ],
)
def test_what_a_working_copy_may_have_is_refused_in_production_only(monkeypatch, name, value, id):
    monkeypatch.setattr(settings, "SECRET_KEY", "k" * 50)
    monkeypatch.setattr(settings, "CRASHPOINTS", False)
    monkeypatch.setattr(settings, name, value)

    monkeypatch.setattr(settings, "PRODUCTION", False)
    assert production.check_production(None) == []
    monkeypatch.setattr(settings, "PRODUCTION", True)
    assert _ids(production.check_production(None)) == [id]


@pytest.mark.parametrize(
    "secrets", [None, [], [""], "whsec_text", ["whsec_good", ""], [7], {"a": "b"}], ids=str
)
def test_in_production_an_account_that_cannot_be_heard_is_warned_of(monkeypatch, secrets):
    heard = {"name": "heard", "webhook_secrets": ["whsec_new", "whsec_old"]}
    monkeypatch.setattr(settings, "SECRET_KEY", "k" * 50)
    monkeypatch.setattr(settings, "CRASHPOINTS", False)
    monkeypatch.setattr(settings, "GATEWAYS", [heard, {"name": "unheard", "webhook_secrets": secrets}])

    monkeypatch.setattr(settings, "PRODUCTION", False)
    assert production.check_production(None) == []
    monkeypatch.setattr(settings, "PRODUCTION", True)
    (problem,) = production.check_production(None)

    assert (problem.id, problem.level) == ("holdfast.W033", WARNING)
    assert "'unheard'" in problem.msg


@pytest.mark.django_db(databases=["default", "replica"], transaction=True)
class TestServers:
    def test_the_throw_away_servers_of_the_tests_are_refused_for_their_fsync_alone(self):
        problems = check_servers(None, databases=["default", "replica"])

        assert [(problem.id, problem.msg) for problem in problems] == [
            ("holdfast.E024", "The database 'default' runs with fsync = off."),
            ("holdfast.E024", "The database 'replica' runs with fsync = off."),
        ]

    def test_nothing_is_asked_unless_databases_are_named(self):
        assert check_servers(None, databases=None) == []

    @pytest.mark.parametrize(
        ("name", "value", "id"),
        [
            ("statement_timeout", "0", "holdfast.E024"),
            ("lock_timeout", "0", "holdfast.E024"),
            ("idle_in_transaction_session_timeout", "0", "holdfast.E024"),
            ("synchronous_commit", "off", "holdfast.E024"),
            ("TimeZone", "Europe/Berlin", "holdfast.E025"),
        ],
    )
    def test_a_role_without_limits_or_durability_is_refused(self, pg, name, value, id):
        # In one database only: the role's own settings stay as they are.
        role = f"ALTER ROLE CURRENT_USER IN DATABASE {settings.DATABASES['default']['NAME']}"
        with psycopg.connect(pg.primary, autocommit=True) as connection:
            connection.execute(f"{role} SET {name} TO '{value}'")
            connections["default"].close()
            try:
                problems = check_servers(None, databases=["default"])
            finally:
                connection.execute(f"{role} RESET {name}")
                connections["default"].close()

        assert {problem.id for problem in problems if name in problem.msg or value in problem.msg} == {id}

    def test_a_server_that_does_not_answer_is_named(self, monkeypatch):
        def refuse() -> None:
            raise OperationalError("connection refused")

        monkeypatch.setattr(connections["replica"], "cursor", refuse)

        assert _ids(check_servers(None, databases=["replica"])) == ["holdfast.E023"]


@pytest.mark.parametrize(
    "accounts",
    [
        [{"secret_key": "sk"}],
        [{"name": "a"}],
        [{"name": "a", "secret_key": "sk"}, {"name": "a", "secret_key": "sk"}],
        [{"name": "a", "secret_key": "sk", "methods": ["cheque"]}],
        [{"name": "a", "secret_key": "sk", "curencies": ["EUR"]}],
        [{"name": "a", "secret_key": "sk", "weight": -1}],
        [{"name": "a", "secret_key": "sk", "weight": "much"}],
        ["a"],
        # Its breaker could not be called so, and each of its payments would crash.
        [{"name": "Stripe EU", "secret_key": "sk"}],
        [{"name": "", "secret_key": "sk"}],
        [{"name": "a" * 100, "secret_key": "sk"}],
    ],
    ids=str,
)
def test_an_account_that_cannot_be_read_is_refused(settings, accounts):
    settings.GATEWAYS = accounts

    assert _ids(payment_checks.check_payments(None)) == ["holdfast.E043"]


class TestCachedValues:
    SOUND = Namespace(
        name="thing",
        owner="tests",
        keyed_by=("id",),
        voided_by=("order.confirmed",),
        not_told="",
        version=1,
    )

    def test_a_sound_declaration_passes(self):
        assert _ids(list(caches.namespace_problems(self.SOUND))) == []

    @pytest.mark.parametrize(
        ("changes", "id"),
        [
            ({"owner": ""}, "holdfast.E013"),
            ({"keyed_by": ()}, "holdfast.E013"),
            ({"voided_by": ()}, "holdfast.E014"),
            ({"voided_by": ("order.confirmed", "order.evaporated")}, "holdfast.E015"),
        ],
    )
    def test_one_that_promises_nothing_is_refused(self, changes, id):
        assert _ids(list(caches.namespace_problems(replace(self.SOUND, **changes)))) == [id]
