"""Everything that one run of the benchmark measures, in order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from benchmarks.backlog import stock_up
from benchmarks.closed_loop import Loop, run_clients
from benchmarks.contenders.base import Contender
from benchmarks.contenders.celery_chain import CeleryChain
from benchmarks.contenders.dbos_queue import DbosQueue
from benchmarks.contenders.holdfast import Holdfast
from benchmarks.contenders.pgbench import scripts
from benchmarks.contenders.recording import Recording, record
from benchmarks.drain import drain
from benchmarks.machine import this_machine
from benchmarks.real_sandbox import with_real_sandbox
from benchmarks.report import Result
from benchmarks.rounds import Line, Scale, middle, run_rounds
from benchmarks.stage import Stage
from benchmarks.statements import Cost, count
from config.bootstrap import bootstrap
from resilience.clock import now

OURS = Holdfast.name
BASELINE = "pgbench, plain SQL"
FULL = Scale(share=1.0, rounds=3, latencies_ms=(0, 50), loop_clients=(1, 8, 32), loop_seconds=15.0)
QUICK = Scale(share=0.1, rounds=1, latencies_ms=(0, 50), loop_clients=(8,), loop_seconds=3.0)

Report = Callable[[str], None]


def run_suite(stage: Stage, *, scale: Scale, command: str, began_at: datetime, report: Report) -> Result:
    """Measure everything; `report` hears what is going on. Raises WrongWorkError."""
    machine = this_machine()
    contenders: Sequence[Contender] = (Holdfast(), CeleryChain(), DbosQueue())
    stock_up()
    api_key = bootstrap(now=now()).api_key
    recording = record()
    lines = run_rounds(contenders, recording=recording, stage=stage, scale=scale, report=report)
    sandbox = _with_sandbox(stage, scale=scale, report=report)
    costs = _costs(contenders, recording=recording, stage=stage, scale=scale, report=report)
    loops = _loops(stage, api_key=api_key, scale=scale, report=report)
    does = {script.name: script.does for script in scripts(recording)}
    does |= {contender.name: contender.does for contender in contenders}
    return Result(command, began_at, machine, scale.rounds, does, lines, sandbox, costs, loops)


def _with_sandbox(stage: Stage, *, scale: Scale, report: Report) -> Line:
    report("Holdfast with the real sandbox")
    ours = replace(Holdfast(), name=f"{OURS}, real sandbox")
    sandbox_stage = with_real_sandbox(stage)
    orders = scale.orders(ours.orders)
    rounds = [drain(ours, stage=sandbox_stage, orders=orders, latency_ms=0) for _ in range(scale.rounds)]
    return middle(ours.name, 0, rounds)


def _costs(
    contenders: Sequence[Contender], *, recording: Recording, stage: Stage, scale: Scale, report: Report
) -> Mapping[str, Cost]:
    plain, ours = scripts(recording)
    costs = {
        plain.name: Cost(statements=plain.statements, commits=plain.commits),
        ours.name: Cost(statements=ours.statements, commits=ours.commits),
    }
    for contender in contenders:
        report(f"counting statements: {contender.name}")
        # Fewer than are timed: logging makes it slow, and the counts hardly vary.
        costs[contender.name] = count(contender, stage=stage, orders=scale.orders(contender.orders // 4))
    return costs


def _loops(stage: Stage, *, api_key: str, scale: Scale, report: Report) -> Mapping[int, Sequence[Loop]]:
    found: dict[int, list[Loop]] = {}
    for latency_ms in scale.latencies_ms:
        for clients in scale.loop_clients:
            loop = run_clients(
                stage=stage,
                api_key=api_key,
                clients=clients,
                seconds=scale.loop_seconds,
                latency_ms=latency_ms,
            )
            found.setdefault(latency_ms, []).append(loop)
            report(f"closed loop, {latency_ms} ms: {clients} clients, {loop.per_s:.0f} orders/s")
    return found
