"""Run the whole stack of a folder: start it, keep it running, say what it is, stop it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from config.stack import description, kept, platform, roles, sandbox, setup, state
from config.stack.description import Stack
from config.stack.interruption import Interruption, StopRequestedError
from config.stack.kept import Kept
from config.stack.lock import claim
from config.stack.ports import LOOPBACK
from config.stack.postgres import Tuning
from config.stack.sandbox import Sandbox
from config.stack.servers import PRIMARY, REDIS, REPLICA, Addresses, start_servers
from config.stack.setup import Credentials
from config.stack.status import StatusReader
from config.stack.supervisor import Supervisor
from config.stack.terminal import Terminal

# Who asks stops before who answers.
STOP_ORDER = (
    "demo", "web", "worker", "dispatcher", "subscriber", "beat", "sandbox", REPLICA, PRIMARY, REDIS,
)  # fmt: skip

# A process that ended is noticed within this.
_TICK_S = 0.1
# Process ids change without us too: gunicorn replaces its workers itself.
_STATE_EVERY_S = 0.5
_LOGS_EVERY_S = 60.0


@dataclass(frozen=True)
class Options:
    """What to run. `web_port` None: the last one of this folder, or 8000, or a free one."""

    demo: bool
    web_port: int | None
    sandboxes: int
    workers: int


def run_stack(*, folder: Path, options: Options, terminal: Terminal) -> None:
    """Return when the stack was asked to stop and has stopped.

    Raises AlreadyHeldError when one runs in this folder, StackError when it cannot start.
    """
    directory = folder / state.HOLDFAST_DIRECTORY
    claim(directory)
    with Interruption() as interruption:
        supervisor = Supervisor(
            logs=directory / "logs",
            random=Random(),
            checkpoint=interruption.check,
            progress=terminal.step,
            report=terminal.event,
        )
        run = _Run(
            folder=folder,
            options=options,
            supervisor=supervisor,
            terminal=terminal,
            interruption=interruption,
            random=Random(),
        )
        try:
            run.keep_running(run.start())
        except StopRequestedError:
            terminal.line("Stopping.")
        finally:
            state.remove_state(folder)
            supervisor.stop(STOP_ORDER)


@dataclass(frozen=True)
class _Run:
    folder: Path
    options: Options
    supervisor: Supervisor
    terminal: Terminal
    interruption: Interruption
    random: Random

    def start(self) -> Stack:
        known = kept.read_kept(self.folder)
        server_ports = known.server_ports(random=self.random)
        web_port = self.options.web_port or known.web_port(random=self.random)
        sandboxes = self._sandboxes(known, web_port=web_port)
        # Before the first server, whose data directory is of no use without its passwords.
        kept.write_kept(self.folder, known)

        addresses = start_servers(
            supervisor=self.supervisor,
            directory=self.folder / state.HOLDFAST_DIRECTORY / "data",
            ports=server_ports,
            server_secrets=known.server_secrets,
            tuning=Tuning(),
        )
        environment = _environment(known, addresses=addresses, sandboxes=sandboxes)
        credentials = self._set_up(environment)
        stack = Stack(
            web_url=f"http://{LOOPBACK}:{web_port}",
            credentials=credentials,
            sandboxes=sandboxes,
            addresses=addresses,
            environment=environment,
        )
        self._start_processes(stack, web_port=web_port)
        self.terminal.line(description.for_people(stack))
        return stack

    def keep_running(self, stack: Stack) -> None:
        """Tick until a stop is requested, which raises StopRequestedError."""
        status = StatusReader(url=stack.addresses.replica)
        processes = self._tell_tools(stack, told={})
        state_at = logs_at = time.monotonic()
        while True:
            self.interruption.check()
            self.supervisor.tick()
            now = time.monotonic()
            if now - state_at >= _STATE_EVERY_S:
                state_at = now
                processes = self._tell_tools(stack, told=processes)
            if now - logs_at >= _LOGS_EVERY_S:
                logs_at = now
                self.supervisor.bound_logs()
            self.terminal.status(lambda: self._status_line(status))
            time.sleep(_TICK_S)

    def _sandboxes(self, known: Kept, *, web_port: int) -> tuple[Sandbox, ...]:
        return tuple(
            Sandbox(
                name=name,
                port=known.sandbox_port(name, random=self.random),
                secret_key=known.sandbox_key(name),
                book=self.folder / state.HOLDFAST_DIRECTORY / f"{name}.sqlite3",
                webhook_secret=known.webhook_secret(name),
                webhook_url=f"http://{LOOPBACK}:{web_port}/webhooks/{name}",
            )
            for name in (f"sandbox-{number}" for number in range(1, self.options.sandboxes + 1))
        )

    def _set_up(self, environment: Mapping[str, str]) -> Credentials:
        # Files are found where the packages have them; WhiteNoise warns when this folder is missing.
        (self.folder / state.HOLDFAST_DIRECTORY / "static").mkdir(exist_ok=True)
        log = self.folder / state.HOLDFAST_DIRECTORY / "logs" / "setup.log"
        setup.migrate(folder=self.folder, log=log, environment=environment)
        self.terminal.step("migrations")
        self.interruption.check()
        credentials = setup.bootstrap(folder=self.folder, log=log, environment=environment)
        self.terminal.step("operator, API key, demo catalogue")
        self.interruption.check()
        return credentials

    def _start_processes(self, stack: Stack, *, web_port: int) -> None:
        environment = {**stack.environment, "PYTHONUNBUFFERED": "1"}
        self.supervisor.start(
            *(
                sandbox.part_of(one, folder=self.folder, copy=number)
                for number, one in enumerate(stack.sandboxes, start=1)
            ),
            platform.web_part(folder=self.folder, port=web_port, environment=environment),
            *platform.worker_parts(folder=self.folder, count=self.options.workers, environment=environment),
            *platform.daemon_parts(folder=self.folder, environment=environment),
        )
        if self.options.demo:
            demo = platform.demo_part(
                folder=self.folder,
                url=stack.web_url,
                api_key=stack.credentials.api_key,
                environment=environment,
            )
            self.supervisor.start(demo)

    def _tell_tools(self, stack: Stack, *, told: Mapping[str, list[int]]) -> Mapping[str, list[int]]:
        """Write stack.json unless its process ids are those `told` before; return them."""
        processes = self.supervisor.pids()
        if processes != told:
            state.write_state(self.folder, description.for_tools(stack, processes=processes))
        return processes

    def _status_line(self, status: StatusReader) -> str | None:
        figures = status.read()
        if figures is None:
            return None
        return f"{figures} · restarts {sum(self.supervisor.restarts.values())}"


def _environment(known: Kept, *, addresses: Addresses, sandboxes: tuple[Sandbox, ...]) -> dict[str, str]:
    return {
        "HOLDFAST_DATABASE_URL": addresses.primary,
        "HOLDFAST_REPLICA_URL": addresses.replica,
        "HOLDFAST_DASHBOARD_URL": roles.as_role(addresses.replica, roles.DASHBOARD),
        "HOLDFAST_REPORTS_URL": roles.as_role(addresses.replica, roles.REPORTS),
        "HOLDFAST_REDIS_URL": addresses.redis,
        "HOLDFAST_SECRET_KEY": known.secret_key,
        "HOLDFAST_GATEWAYS": sandbox.gateways_setting(sandboxes),
    }
