"""Run the whole stack of a folder: start it, keep it running, say what it is, stop it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from config.stack import description, kept, platform, sandbox, setup, state
from config.stack.channel import Channel
from config.stack.commands import Commands
from config.stack.description import Stack
from config.stack.environment import Environments
from config.stack.interruption import Interruption, StopRequestedError
from config.stack.kept import Kept
from config.stack.lock import claim
from config.stack.network import PROXY, Direct, Network, Proxied
from config.stack.ports import LOOPBACK
from config.stack.postgres import Tuning
from config.stack.sandbox import Sandbox
from config.stack.servers import PRIMARY, REDIS, REPLICA, Leadership, ServerPorts, start_servers_led
from config.stack.setup import Credentials
from config.stack.status import StatusReader
from config.stack.supervisor import Supervisor
from config.stack.terminal import Terminal

# Who asks stops before who answers.
STOP_ORDER = (
    "demo", "web", "worker", "dispatcher", "subscriber", "sender", "exporter", "beat", "sandbox",
    REPLICA, PRIMARY, REDIS, PROXY,
)  # fmt: skip

# Whose routes are one: the web server's processes; and dispatcher, subscriber, sender, exporter, beat, demo.
_WEB = "web"
_DAEMONS = "daemons"

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
    # Parts reach each other through a proxy that can fail on request (docs/gamedays.md).
    with_proxies: bool = False
    # A commit is acknowledged when the replica has it too.
    synchronous: bool = False


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
            channel=Channel(directory),
        )
        try:
            run.keep_running(*run.start())
        except StopRequestedError:
            terminal.line("Stopping.")
        finally:
            state.remove_state(folder)
            run.channel.close()
            supervisor.stop(STOP_ORDER)


@dataclass(frozen=True)
class _Run:
    folder: Path
    options: Options
    supervisor: Supervisor
    terminal: Terminal
    interruption: Interruption
    random: Random
    channel: Channel

    def start(self) -> tuple[Stack, Commands]:
        known = kept.read_kept(self.folder)
        server_ports = known.server_ports(random=self.random)
        web_port = self.options.web_port or known.web_port(random=self.random)
        proxied = self._proxied(known)
        network: Network = proxied or Direct()
        sandboxes = self._sandboxes(known, web_port=web_port, network=network)
        environments = Environments(known=known, ports=server_ports, sandboxes=sandboxes)
        of_parts = {who: environments.of(who, network=network) for who in self._clients()}
        leadership = self._leadership(known, ports=server_ports, network=network)
        # Before the first server, whose data directory is of no use without its passwords.
        kept.write_kept(self.folder, known)

        if proxied is not None:
            self.supervisor.start(proxied.part(folder=self.folder))
        servers = start_servers_led(
            supervisor=self.supervisor,
            directory=self.folder / state.HOLDFAST_DIRECTORY / "data",
            ports=server_ports,
            server_secrets=known.server_secrets,
            tuning=Tuning(),
            leadership=leadership,
        )
        environment = environments.of("tools", network=Direct())
        stack = Stack(
            web_url=f"http://{LOOPBACK}:{web_port}",
            credentials=self._set_up(environment),
            sandboxes=sandboxes,
            servers=servers,
            environment=environment,
            control=str(self.channel.address),
            proxy=proxied,
        )
        self._start_processes(stack, web_port=web_port, environments=of_parts)
        self.terminal.line(description.for_people(stack))
        return stack, Commands(supervisor=self.supervisor, cluster=servers.cluster)

    def keep_running(self, stack: Stack, commands: Commands) -> None:
        """Tick, and do what is asked, until a stop is requested, which raises StopRequestedError."""
        status = StatusReader(url=stack.servers.addresses.replica)
        told = self._tell_tools(stack, told={})
        state_at = logs_at = time.monotonic()
        while True:
            self.interruption.check()
            self.supervisor.tick()
            self.channel.poll(commands.handle)
            now = time.monotonic()
            if now - state_at >= _STATE_EVERY_S:
                state_at = now
                told = self._tell_tools(stack, told=told)
            if now - logs_at >= _LOGS_EVERY_S:
                logs_at = now
                self.supervisor.bound_logs()
            self.terminal.status(lambda: self._status_line(status))
            time.sleep(_TICK_S)

    def _clients(self) -> list[str]:
        """Return who is told where the others are: the daemons share what they are told."""
        return [_WEB, *(f"worker-{number}" for number in range(1, self.options.workers + 1)), _DAEMONS]

    def _proxied(self, known: Kept) -> Proxied | None:
        if not self.options.with_proxies:
            return None
        return Proxied(
            control_port=known.proxy_port("control", random=self.random),
            pick=lambda name: known.proxy_port(name, random=self.random),
        )

    def _leadership(self, known: Kept, *, ports: ServerPorts, network: Network) -> Leadership:
        """Return who leads, and how each server would reach the other one, whichever leads later."""
        streams = {
            PRIMARY: network.port(who=REPLICA, whom=PRIMARY, port=ports.primary),
            REPLICA: network.port(who=PRIMARY, whom=REPLICA, port=ports.replica),
        }

        def remember(leader: str) -> None:
            known.leader = leader
            kept.write_kept(self.folder, known)

        return Leadership(
            leader=known.leader,
            remember=remember,
            stream_port=lambda _follower, leader: streams[leader.name],
            synchronous=self.options.synchronous,
        )

    def _sandboxes(self, known: Kept, *, web_port: int, network: Network) -> tuple[Sandbox, ...]:
        return tuple(
            Sandbox(
                name=name,
                port=known.sandbox_port(name, random=self.random),
                secret_key=known.sandbox_key(name),
                book=self.folder / state.HOLDFAST_DIRECTORY / f"{name}.sqlite3",
                webhook_secret=known.webhook_secret(name),
                webhook_url=f"http://{LOOPBACK}:{network.port(who=name, whom=_WEB, port=web_port)}"
                f"/webhooks/{name}",
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

    def _start_processes(
        self, stack: Stack, *, web_port: int, environments: Mapping[str, Mapping[str, str]]
    ) -> None:
        of = {who: {**variables, "PYTHONUNBUFFERED": "1"} for who, variables in environments.items()}
        self.supervisor.start(
            *(
                sandbox.part_of(one, folder=self.folder, copy=number)
                for number, one in enumerate(stack.sandboxes, start=1)
            ),
            platform.web_part(folder=self.folder, port=web_port, environment=of[_WEB]),
            *(
                platform.worker_part(folder=self.folder, copy=number, environment=of[f"worker-{number}"])
                for number in range(1, self.options.workers + 1)
            ),
            *platform.daemon_parts(folder=self.folder, environment=of[_DAEMONS]),
        )
        if self.options.demo:
            demo = platform.demo_part(
                folder=self.folder,
                url=stack.web_url,
                api_key=stack.credentials.api_key,
                environment=of[_DAEMONS],
            )
            self.supervisor.start(demo)

    def _tell_tools(self, stack: Stack, *, told: Mapping[str, object]) -> Mapping[str, object]:
        """Write stack.json unless it would say what was `told` before; return what it says."""
        says = description.for_tools(stack, processes=self.supervisor.pids())
        if says != told:
            state.write_state(self.folder, says)
        return says

    def _status_line(self, status: StatusReader) -> str | None:
        figures = status.read()
        if figures is None:
            return None
        return f"{figures} · restarts {sum(self.supervisor.restarts.values())}"
