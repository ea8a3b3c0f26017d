"""`/metrics`: the fleet's totals, right over processes and their deaths, in words that Prometheus reads."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import httpx
import pytest
import redis
from django.conf import settings
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from config.celery import app
from config.stack.servers import PRIMARY
from resilience import pulse
from resilience.clock import now
from resilience.telemetry import totals
from resilience.telemetry.models import MetricTotal
from tests.harness import Harness
from tests.processes import children_of, frozen, wait_until
from tests.telemetry_worker import QUEUE, accept

pytestmark = pytest.mark.django_db(transaction=True)

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
# A slot, the spread of handing on, and a machine that is busy.
HANDED_ON_S = 90.0


@contextmanager
def gunicorn(*, workers: int) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run the API as the stack does."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "config.wsgi", "--config", "python:config.gunicorn",
             "--workers", str(workers), "--bind", f"fd://{listener.fileno()}"],
            cwd=settings.BASE_DIR,
            env={**os.environ, "HOLDFAST_LOG_LEVEL": "ERROR"},
            pass_fds=[listener.fileno()],
        )  # fmt: skip
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", server
        finally:
            server.terminate()
            server.wait(20)


@contextmanager
def worker() -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "config", "worker", "--pool", "threads", "--concurrency", "1",
         "--queues", QUEUE, "--include", "tests.telemetry_worker", "--loglevel", "ERROR"],
        cwd=settings.BASE_DIR,
    )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def _samples(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


class Scraper:
    """Reads the page over a new connection each time, as chance has it from one process or the other."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.starts: set[float] = set()
        self._last: Samples = {}

    def __call__(self) -> Samples:
        """Return the samples, after having seen that no counter fell."""
        answer = httpx.get(f"{self.url}/metrics", timeout=10).raise_for_status()
        samples = _samples(answer.text)
        fallen = {
            name: (self._last[name], value)
            for name, value in samples.items()
            if name[0].endswith(("_total", "_bucket", "_count", "_sum")) and value < self._last.get(name, 0)
        }
        assert fallen == {}
        self._last = samples
        self.starts.add(samples["holdfast_answering_process_start_time_seconds", ()])
        return samples

    def livez(self) -> float:
        labels = (("method", "GET"), ("route", "/livez"), ("status", "2xx"))
        return self().get(("holdfast_http_request_seconds_count", labels), 0.0)


def _counts_up_to(expected: float, scrape: Scraper) -> None:
    """Wait until that many are counted; fail at once when there are more."""
    deadline = time.monotonic() + HANDED_ON_S
    while (seen := scrape.livez()) != expected:
        assert seen < expected
        assert time.monotonic() < deadline, f"{seen} of {expected} were counted"
        time.sleep(0.2)


class Prober:
    """Asks `/livez`, and knows how often it was answered.

    Patiently: a request that is given up here may be answered, and counted, all the same.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.answered = 0

    def __call__(self) -> bool:
        try:
            httpx.get(f"{self.url}/livez", timeout=120).raise_for_status()
        except httpx.HTTPError:
            return False
        self.answered += 1
        return True


def test_totals_of_a_fleet_are_exact_to_the_last_flush_whoever_dies(django_db_setup: None) -> None:
    MetricTotal.objects.all().delete()
    with gunicorn(workers=2) as (url, server), worker():
        scrape, probe = Scraper(url), Prober(url)
        wait_until(probe, limit_s=120)
        # Until both have answered, so that both have something to hand on.
        wait_until(lambda: probe() and scrape() and len(scrape.starts) == 2)

        app.send_task(accept.name, args=[50], queue=QUEUE)
        _counts_up_to(probe.answered + 50, scrape)
        assert scrape()["holdfast_orders_accepted_total", (("currency", "EUR"),)] == 50

        # One dies, and nothing of what it handed on is lost; another comes in its place.
        os.kill(children_of(server.pid)[0], signal.SIGKILL)
        wait_until(lambda: probe() and scrape() and len(scrape.starts) == 3)
        app.send_task(accept.name, args=[5], queue=QUEUE)
        _counts_up_to(probe.answered + 55, scrape)

        samples = scrape()
        assert samples["holdfast_fleet_processes", ()] >= 3
        assert samples["holdfast_pulse_age_seconds", (("server", "default"),)] < 5
        assert all(probe() for _ in range(3))
    # Those who end in peace hand on what they have.
    total = MetricTotal.objects.get(metric="http_request_s", labels__route="/livez")
    assert total.count == probe.answered + 55
    assert sum(total.buckets) == total.count


@pytest.fixture
def page() -> Iterator[Callable[..., str]]:
    totals._reader.forget()

    def get(**headers: str) -> str:
        return Client().get("/metrics", headers=headers).content.decode()

    yield get
    pulse.stop()


def _row(metric: str, kind: str, **facts: object) -> None:
    MetricTotal.objects.create(
        metric=metric, kind=kind, **({"labels": {}, "value": 0, "count": 0, "total": 0, "at": now()} | facts)
    )


def test_each_kind_is_told_as_prometheus_wants_it(page: Callable[..., str]) -> None:
    labels = {"method": "GET", "route": '/a"b\\c\n', "status": "2xx"}
    buckets = [0] * 27
    buckets[0], buckets[10], buckets[26] = 1, 2, 4
    _row("http_request_s", "histogram", labels=labels, count=7, total=812.5, buckets=buckets)
    _row("saga_lost_total", "counter", value=3)
    _row("saga_oldest_due_s", "gauge", value=1.5)

    text = page()

    samples = _samples(text)
    known = tuple(sorted(labels.items()))
    assert samples["holdfast_saga_lost_total", ()] == 3
    assert samples["holdfast_saga_oldest_due_seconds", ()] == 1.5
    assert samples["holdfast_http_request_seconds_count", known] == 7
    assert samples["holdfast_http_request_seconds_sum", known] == 812.5
    by_bound = {
        dict(found)["le"]: value
        for (name, found), value in samples.items()
        if name == "holdfast_http_request_seconds_bucket"
    }
    assert (by_bound["0.001"], by_bound["0.1"], by_bound["100.0"], by_bound["+Inf"]) == (1, 3, 3, 7)
    assert len(by_bound) == 27
    assert re.search(r"^# TYPE holdfast_http_request_seconds histogram$", text, re.MULTILINE)
    assert samples["holdfast_totals_age_seconds", ()] < 5


def test_what_nobody_declares_or_samples_now_is_left_out(
    page: Callable[..., str],
) -> None:

    from resilience.clock import now

    _row("of_another_release_total", "counter", value=3)
    _row("saga_lost_total", "counter", value=3, labels={"of": "another release"})
    _row("saga_due", "gauge", value=9, at=now() - timedelta(minutes=2))

    names = {name for name, _labels in _samples(page())}

    assert not any("another" in name for name in names)
    assert "holdfast_saga_due" not in names
    assert _samples(page())["holdfast_saga_lost_total", ()] == 0


def test_open_metrics_is_spoken_to_who_asks_for_it(page: Callable[..., str]) -> None:
    text = page(accept="application/openmetrics-text; version=1.0.0")

    assert text.endswith("# EOF\n")


def test_a_token_that_is_set_must_be_shown(page: Callable[..., str], settings) -> None:
    settings.METRICS_TOKEN = "s3cret"

    answers = [
        Client().get("/metrics", headers=headers).status_code
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "s3cret"})
    ]

    assert answers == [401, 401, 401]
    assert "holdfast_fleet_processes" in page(authorization="Bearer s3cret")


def test_while_the_database_is_away_the_last_answer_of_the_fleet_is_told(
    page: Callable[..., str], harness: Harness
) -> None:
    _row("saga_lost_total", "counter", value=3)
    page()
    MetricTotal.objects.update(value=4)
    newest = totals.TotalsReader()  # another process, which has read later
    newest.name = "another reader"
    pulse.join(newest)
    try:
        assert newest.read().rows[-1].value == 4
        wait_until(lambda: newest._to_share is None)
        with frozen(harness.supervisor.pids()[PRIMARY]):
            begun_at = time.monotonic()
            samples = _samples(page())
            assert time.monotonic() - begun_at < 4
            assert samples["holdfast_saga_lost_total", ()] == 4
            assert samples["holdfast_pulse_age_seconds", (("server", "default"),)] > 0.5
            assert samples["holdfast_totals_age_seconds", ()] > 0.5
    finally:
        pulse.leave(newest)

    def recovered() -> bool:
        return _samples(page())["holdfast_totals_age_seconds", ()] < 0.5

    wait_until(recovered)


def test_without_any_answer_the_process_tells_of_itself(page: Callable[..., str], harness: Harness) -> None:
    redis.Redis.from_url(settings.PULSE_REDIS_URL).delete(totals._KEY)
    with frozen(harness.supervisor.pids()[PRIMARY]):
        samples = _samples(page())

    assert samples["holdfast_totals_age_seconds", ()] == float("inf")
    assert samples["holdfast_fleet_processes", ()] >= 1
