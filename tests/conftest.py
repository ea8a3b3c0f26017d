"""Fixtures over the servers of `tests.harness`."""

import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from django.conf import settings
from django.core.management import call_command
from pytest_django import DjangoDbBlocker

from config.stack.servers import Addresses
from resilience import pulse
from resilience.breaker import Standing, process, standings
from resilience.budgets.fleet import SPENDING
from resilience.budgets.registry import forget
from resilience.caching.process import begin_anew
from tests.harness import HARNESS, Harness


@dataclass(frozen=True)
class SandboxClient:
    """The sandbox gateway of this session, its faults and its book."""

    name: str
    url: str
    secret_key: str
    book: Path

    def faults(self, *faults: dict[str, Any]) -> None:
        """Set faults as in DESIGN.md section 5, beside those that are set."""
        for fault in faults:
            httpx.post(f"{self.url}/_faults", json=fault).raise_for_status()

    def clear_faults(self) -> None:
        httpx.delete(f"{self.url}/_faults").raise_for_status()

    def configure(self, **settings: Any) -> None:
        """Change settings (docs/sandbox.md)."""
        httpx.post(f"{self.url}/_config", json=settings).raise_for_status()

    def orders(self) -> dict[str, Any]:
        """Return what was captured, refunded and left open, by order id."""
        answer = httpx.get(
            f"{self.url}/_book/summary", headers={"Authorization": f"Bearer {self.secret_key}"}
        )
        orders: dict[str, Any] = answer.raise_for_status().json()["orders"]
        return orders

    def rows(self, query: str, *parameters: object) -> list[sqlite3.Row]:
        """Read the book itself, the independent witness of what was charged."""
        with closing(sqlite3.connect(f"file:{self.book}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return connection.execute(query, parameters).fetchall()


@pytest.fixture(scope="session")
def harness(pytestconfig: pytest.Config) -> Harness:
    return pytestconfig.stash[HARNESS]


@pytest.fixture(scope="session")
def pg(harness: Harness) -> Addresses:
    """Addresses of the servers, the superuser's included."""
    return harness.addresses


@pytest.fixture(scope="session")
def redis_url(harness: Harness) -> str:
    return harness.addresses.redis


@pytest.fixture
def sandbox(harness: Harness) -> Iterator[SandboxClient]:
    running = harness.sandbox
    if running is None:
        pytest.skip("This session has no sandbox.")
    client = SandboxClient(
        name=running.name, url=running.url, secret_key=running.secret_key, book=running.book
    )
    client.clear_faults()
    yield client
    client.clear_faults()


@pytest.fixture(autouse=True)
def _breakers_of_its_own() -> Iterator[None]:
    """Let what a test made of a dependency not be known to the next one."""
    yield
    # Health looks at each account's breaker, in every process: one that nobody used is as new.
    if any(one.is_reduced or one.forced or one.rejected or _calls(one) for one in standings()):
        pulse.stop()
        process.registry.clear()
        with redis.Redis.from_url(settings.PULSE_REDIS_URL) as client:
            for key in client.scan_iter("hf:breaker*"):
                client.delete(key)


def _calls(standing: Standing) -> int:
    return standing.fleet.total + standing.fleet.streak + (standing.local.total if standing.local else 0)


@pytest.fixture(scope="session")
def django_db_setup(harness: Harness, django_db_blocker: DjangoDbBlocker) -> None:
    """Migrate this session's own database instead of creating a test database.

    So subprocesses see the same rows, and the alias `replica` is a real streaming replica.
    """
    with django_db_blocker.unblock():
        call_command("migrate", verbosity=0)


@pytest.fixture(autouse=True)
def _nothing_cached_before() -> None:
    """Let no test read what another has cached: who has just begun believes only what is newer."""
    begin_anew()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make what was logged fit to be sent from a worker to the controller: texts of tests are no UTF-8."""
    report = yield
    report.sections = [(name, text.encode(errors="replace").decode()) for name, text in report.sections]
    return report


@pytest.fixture(scope="session", autouse=True)
def _alone_with_its_retries() -> None:
    """Let no test hear through Redis what another has spent; who tests that joins again."""
    pulse.leave(SPENDING)


@pytest.fixture(autouse=True)
def _full_retry_budgets() -> None:
    """Let no test inherit the failures of another: a process has one budget for each account."""
    forget()
