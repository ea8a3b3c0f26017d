"""The whole stack under three times the load that it can bear, and what became of it.

Two web workers, dispatcher, two saga workers and durable servers, and the clients, all on one machine.
"""

import hmac
import json
import os
import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from random import Random
from uuid import uuid4

from django.db import connection

from benchmarks.backlog import CURRENCY, sku
from benchmarks.open_loop import Address, Kind, Shot, fire, get, is_done, post, saturate
from benchmarks.stage import FOLDER, GATEWAY_NAME
from config.stack import platform
from config.stack.ports import LOOPBACK, pick_port
from config.stack.supervisor import Supervisor
from orders.models import Order
from resilience.clock import now
from resilience.saga.models import Saga

KINDS = ("money", "checkout", "read", "list", "report")
_CLIENTS = 32
_WEBHOOK_SECRET = "whsec_benchmark"


@dataclass(frozen=True)
class Seen:
    """What clients saw. Rates are a second's; `work` weighs each kind by what it costs alone."""

    capacity: float
    capacity_work: float
    done: float
    done_work: float
    seconds: float
    shots: Sequence[Shot]
    recovered_s: float | None
    refusal_alone_ms: float | None = None

    @property
    def goodput(self) -> float:
        """What is done under overload by what is done at capacity, weighed by what each kind costs."""
        return self.done_work / self.capacity_work


def run(address: Address, api_key: str, *, short: bool) -> Seen:
    """Measure the capacity, ask three times as much, and wait until all is as before."""
    kinds, random = _mixture(api_key), Random(1)
    seconds, capacity_s = (5.0, 2.0) if short else (60.0, 10.0)
    saturate(address, kinds, clients=_CLIENTS, seconds=2, random=random)
    work = {
        kind.name: 1
        / _per_s(saturate(address, [kind], clients=_CLIENTS, seconds=capacity_s / 4, random=random))
        for kind in kinds
    }
    at_capacity = saturate(address, kinds, clients=_CLIENTS, seconds=capacity_s, random=random)
    capacity = _per_s(at_capacity)
    shots = fire(address, kinds, per_s=3 * capacity, seconds=seconds, random=random)
    recovered_s = _recovery_s(address, kinds, per_s=capacity / 3, random=random)
    done = [shot for shot in shots if is_done(shot)]
    took_s = max(shot.at_s + shot.took_s for shot in shots)
    return Seen(
        capacity=capacity,
        capacity_work=_work(at_capacity, work) / capacity_s,
        done=len(done) / took_s,
        done_work=_work(shots, work) / took_s,
        seconds=seconds,
        shots=shots,
        recovered_s=recovered_s,
        refusal_alone_ms=_refusal_ms(address, kinds, random=random),
    )


def _recovery_s(address: Address, kinds: Sequence[Kind], *, per_s: float, random: Random) -> float | None:
    """Return how long it takes until a second of ordinary load is done whole, without a long wait."""
    began_at = time.monotonic()
    while time.monotonic() - began_at < 90:
        so_far_s = time.monotonic() - began_at
        shots = fire(address, kinds, per_s=per_s, seconds=1, random=random)
        if all(is_done(shot) and shot.took_s < 1 for shot in shots):
            return so_far_s
    return None


def _refusal_ms(address: Address, kinds: Sequence[Kind], *, random: Random) -> float | None:
    """Return the 99th percentile of a refusal while a backlog turns reports away; None: none was."""
    # This process computed all through the storm, missed its own beats, and so may have cut its connection.
    connection.close()
    at = now() - timedelta(minutes=5)
    # Their leases are somebody's: no worker of this run picks them up.
    later = now() + timedelta(hours=1)
    sagas = Saga.objects.bulk_create(
        Saga(
            definition="benchmark", version=1, business_key=uuid4(), due_at=at, created_at=at,
            deadline_at=later, lease_owner="benchmark", lease_until=later,
        )
        for _ in range(40)
    )  # fmt: skip
    try:
        time.sleep(2)  # the pulse's; nothing is shown by this but that refusals come, which is looked at
        [report] = [kind for kind in kinds if kind.name == "report"]
        shots = saturate(address, [report], clients=1, seconds=2, random=random)
    finally:
        Saga.objects.filter(pk__in=[saga.pk for saga in sagas]).delete()
    refused = sorted(shot.took_s * 1000 for shot in shots if shot.status == 503)
    return refused[int(len(refused) * 0.99)] if refused else None


def settled(*, limit_s: float) -> tuple[int, int]:
    """Wait until the accepted orders have settled; return how many did, of how many."""
    until = time.monotonic() + limit_s
    while time.monotonic() < until and Order.objects.filter(status="pending").exists():
        time.sleep(0.5)
    everything = Order.objects.count()
    return everything - Order.objects.filter(status="pending").count(), everything


@contextmanager
def web(*, has_door: bool) -> Iterator[Address]:
    """Run web, dispatcher and workers on the servers of `benchmarks.tools`; gunicorn's worker has no door."""
    [account] = json.loads(os.environ["HOLDFAST_GATEWAYS"])
    environment = {name: value for name, value in os.environ.items() if name.startswith("HOLDFAST_")}
    environment |= {
        "HOLDFAST_GATEWAYS": json.dumps([{**account, "webhook_secrets": [_WEBHOOK_SECRET]}]),
        "HOLDFAST_SHEDDER": "on" if has_door else "off",
    }
    port = pick_port(random=Random())
    part = platform.web_part(folder=FOLDER, port=port, environment=environment)
    if not has_door:
        part = replace(part, command=(*part.command, "--worker-class", "gthread"))
    daemons = platform.daemon_parts(folder=FOLDER, environment=environment)
    others = [
        *(platform.worker_part(folder=FOLDER, copy=number, environment=environment) for number in (1, 2)),
        *(daemon for daemon in daemons if daemon.name == "dispatcher"),
    ]
    with tempfile.TemporaryDirectory() as logs:
        supervisor = Supervisor(
            logs=Path(logs), random=Random(), checkpoint=_nothing, progress=_nothing, report=print
        )
        try:
            supervisor.start(part, *others)
            yield LOOPBACK, port
        finally:
            supervisor.stop(())


def _mixture(api_key: str) -> list[Kind]:
    """Return what a shop is asked: a twentieth about money, a fifth orders, the rest looks at something."""
    auth = {"Authorization": f"Bearer {api_key}"}

    def order(number: int) -> bytes:
        body = {
            "customer": {"reference": "overload"}, "currency": CURRENCY,
            "lines": [{"sku": sku(number), "quantity": 1}], "payments": [{"method": "pm_card_visa"}],
        }  # fmt: skip
        headers = {**auth, "Idempotency-Key": secrets.token_hex(8)}
        return post("/api/v1/orders", json.dumps(body).encode(), headers=headers)

    product, orders = get(f"/api/v1/products/{sku(1)}", headers=auth), get("/api/v1/orders", headers=auth)
    balances = get("/api/v1/ledger/balances", headers=auth)
    return [
        Kind("money", 5, _notice),
        Kind("checkout", 20, order),
        Kind("read", 45, lambda _number: product),
        Kind("list", 20, lambda _number: orders),
        Kind("report", 10, lambda _number: balances),
    ]


def _notice(number: int) -> bytes:
    body = json.dumps(
        {
            "id": f"evt_{number}_{secrets.token_hex(6)}", "object": "event",
            "type": "payment_intent.succeeded", "created": int(time.time()),
            "data": {"object": {"id": "pi_unknown", "metadata": {}}},
        }
    ).encode()  # fmt: skip
    at = int(time.time())
    mac = hmac.new(_WEBHOOK_SECRET.encode(), f"{at}.".encode() + body, "sha256").hexdigest()
    return post(f"/webhooks/{GATEWAY_NAME}", body, headers={"Stripe-Signature": f"t={at},v1={mac}"})


def _per_s(shots: Sequence[Shot]) -> float:
    return sum(map(is_done, shots)) / max(shot.at_s + shot.took_s for shot in shots)


def _work(shots: Sequence[Shot], work: Mapping[str, float]) -> float:
    return sum(work[shot.kind] for shot in shots if is_done(shot))


def _nothing(*_said: object) -> None:
    """Nobody asks how it goes."""
