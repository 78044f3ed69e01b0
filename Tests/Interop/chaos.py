"""Failures under a running load, each from a seed, and what came of every call: `scripts/chaos`, and the tests of `test_chaos.py`.

A scenario starts a cluster with round-robin of every request, lets clients of both eras work, breaks something, mends it, and then holds the
clients' account against the ledger of the servers, the events that came, and what Redis and /proc say.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import os
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import chaos_network
import processes
from chaos_account import Account, Ledger, check_ledger, check_ownership, check_results, processes_of
from chaos_clients import BareClient, LoadClient, ModernSDKClient, SDKClient
from chaos_homes import Homes
from cluster import Cluster, Instance, ports_in_use
from command_line import HERE, PYTHON

CLIENTS: list[type[LoadClient]] = [SDKClient, SDKClient, SDKClient, ModernSDKClient, ModernSDKClient, BareClient]
LEASE = 3.0
"""Seconds: `cluster.lease`, after which instances agree again who lives."""
AFTER_ELECTION = 2.0
"""Seconds for which calls may be held up after a new master's election."""
CRASHES = ("Fatal error", "Crash:", "Thread 0 crashed", "Precondition failed", "Assertion failed", "AddressSanitizer", " stack smashing")


AFFINITY = "CHAOS_AFFINITY"
"""A variable: NGINX sends the requests of a session to the instance that made it, as it does by default."""


@dataclass
class Scenario:
    name: str
    fault: Callable[[Stage], Awaitable[None]]
    redis: str = "single"
    loses_calls: bool = False
    """Whether an instance is lost with what it works on, so that calls which must not be repeated may end with an unknown outcome."""
    fails_calls: bool = False
    """Whether something is broken that clients must notice even after one retry."""
    loses_processes: bool = False
    """Whether sessions may get new processes."""
    loses_events: bool = False
    """Whether the way to a client breaks while no log takes events, so that those of that time may be lost; never doubled or out of order."""
    stage: type[Any] = Cluster
    """The kind of cluster."""

    def impossible(self) -> str | None:
        """Why it cannot be played here."""
        return self.stage.why_impossible() if hasattr(self.stage, "why_impossible") else None


@dataclass
class Stage:
    """What a fault works on."""

    cluster: Cluster
    account: Account
    rng: random.Random
    faults: list[float] = field(default_factory=list)
    mended_at: float = 0
    elected_at: float | None = None
    """When there was a new master."""
    notes: list[str] = field(default_factory=list)

    def fault(self, what: str) -> None:
        self.faults.append(time.monotonic())
        self.note(what)

    def note(self, what: str) -> None:
        self.notes.append(f"{time.monotonic() - self.account.began:6.2f} s  {what}")

    def any_instance(self) -> Instance:
        return self.rng.choice(self.cluster.instances)

    async def pause(self, least: float, most: float) -> None:
        await anyio.sleep(self.rng.uniform(least, most))


_daemons = concurrent.futures.ThreadPoolExecutor(1)


async def blocking(function: Callable[..., Any], *arguments: Any) -> Any:
    """What starts or waits for processes, beside the load. In one thread, which lives as long as this program: a daemon is told to end when the
    thread that started it does."""
    return await asyncio.get_running_loop().run_in_executor(_daemons, lambda: function(*arguments))


@dataclass
class Report:
    """What a scenario showed."""

    scenario: str
    seed: str
    calls: int = 0
    requests: int = 0
    failed_requests: int = 0
    """HTTP requests that clients saw fail, before any retry."""
    unknown: int = 0
    failed_calls: int = 0
    """After one retry where it is safe."""
    longest_stall: float = 0
    stalled: str = ""
    recovery: float = 0
    recovery_from_election: float | None = None
    replayed: int = 0
    lost_processes: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    HEADER = (
        f"{'scenario':<18} {'calls':>6} {'requests':>8} {'failed':>7} {'after retry':>11} {'unknown':>7} {'stall':>8} {'recovery':>9} "
        f"{'election':>9} {'replayed':>8} {'processes lost':>14}"
    )

    @property
    def again(self) -> str:
        """The command that plays it again."""
        return f"scripts/chaos {self.scenario} --seed {self.seed}" + (" --affinity" if AFFINITY in os.environ else "")

    def row(self) -> str:
        election = f"{self.recovery_from_election:.2f} s" if self.recovery_from_election is not None else "-"
        return (
            f"{self.scenario:<18} {self.calls:>6} {self.requests:>8} {self.failed_requests:>7} {self.failed_calls:>11} {self.unknown:>7} "
            f"{self.longest_stall:>6.2f} s {self.recovery:>7.2f} s {election:>9} {self.replayed:>8} {self.lost_processes:>14}"
        )

    def text(self) -> str:
        lines = [self.HEADER, self.row(), *self.notes]
        return "\n".join(lines + [f"PROBLEM {one}" for one in self.problems])


class Run:
    """One scenario from its seed."""

    def __init__(self, scenario: Scenario, seed: str, directory: Path) -> None:
        self.scenario, self.seed = scenario, seed
        self.rng = random.Random(f"{scenario.name} {seed}")
        self.directory = directory
        self.ledger = Ledger(directory / "ledger")
        self.account = Account()
        self.report = Report(scenario.name, seed)
        self.cluster = self._cluster()

    def _cluster(self) -> Cluster:
        # Servers have everybody's clock.
        environment = {"LEDGER": str(self.ledger.path), "LD_PRELOAD": ""}
        server = {"command": PYTHON, "args": ["-S", "-E", str(HERE / "servers/ledger.py")], "env": environment}
        config = {
            "mcpServers": {"shared": {**server, "isolation": "shared"}, "own": {**server, "isolation": "session"}},
            "gateway": {"drainTimeout": "20s"},
        }
        ports = lasting_ports(Cluster.ports_needed(3, self.scenario.redis))
        return self.scenario.stage(
            self.directory, config=config, redis=self.scenario.redis, balance="round_robin", affinity=AFFINITY in os.environ,
            nginx_options=("--workers", "1"), ports=ports,
        )  # fmt: skip

    async def play(self) -> Report:
        await blocking(self.cluster.start)
        try:
            await self._play()
        finally:
            problems = await blocking(self.cluster.close)
            self.report.problems += problems
            self.report.problems += self._crashes()
            self._keep()
        return self.report

    async def _play(self) -> None:
        stage = Stage(self.cluster, self.account, self.rng)
        clients = [
            kind(f"{kind.__name__}-{number}", self.cluster.url, self.account, self.seed) for number, kind in enumerate(CLIENTS, 1)
        ]
        homes = Homes(self.cluster, clients)
        self.account.began = time.monotonic()
        stopping, finished = anyio.Event(), [anyio.Event() for _ in clients]
        idle = anyio.Event()
        async with anyio.create_task_group() as group:
            for client, done in zip(clients, finished):
                group.start_soon(self._work, client, stopping, done, idle)
            with anyio.fail_after(120):
                async with anyio.create_task_group() as watching:
                    watching.start_soon(homes.watch)
                    await stage.pause(2, 3.5)
                    await self.scenario.fault(stage)
                    stage.mended_at = time.monotonic()
                    await self._until_all_recovered(stage)
                    await stage.pause(2.5, 3.5)
                    stopping.set()
                    for done in finished:
                        await done.wait()
                    watching.cancel_scope.cancel()
            # With all at rest, and everybody still connected.
            self.report.problems += await self._left_processes(clients)
            idle.set()
        self._close_books(stage, clients, homes)

    async def _work(self, client: LoadClient, stopping: anyio.Event, done: anyio.Event, idle: anyio.Event) -> None:
        try:
            async with client.connected():
                await client.run(stopping)
                before = len(self.account.failed())
                await client.every_kind()
                late = [call for call in self.account.failed()[before:] if call.client == client.name]
                self.report.problems += [f"afterwards, {call.name} still fails: {call.attempts}" for call in late]
                done.set()
                await idle.wait()
        except Exception as error:  # One that broke is a finding; the others go on.
            self.report.problems.append(f"{client.name} broke: {error!r} {getattr(error, 'exceptions', '')}")
        finally:
            done.set()

    async def _until_all_recovered(self, stage: Stage, timeout: float = 40) -> None:
        """Waits until everybody has had a success with a call that began after the fault."""
        with anyio.move_on_after(timeout) as waiting:
            while not self.account.all_succeeded_since(stage.faults[-1]):
                await anyio.sleep(0.05)
        if waiting.cancelled_caught:
            self.report.problems.append(f"some client had no success within {timeout:g} s of the fault")

    async def _left_processes(self, clients: list[LoadClient], timeout: float = 8) -> list[str]:
        """Of each session at most one process lives, the one that worked last."""
        deadline = time.monotonic() + timeout
        while True:
            alive = await blocking(processes.marked, self.cluster.mark)
            found = []
            for client, mine in processes_of(self.ledger).items():
                living = [pid for pid in dict.fromkeys(pid for pid, _ in mine) if pid in alive]
                if any(pid != mine[-1][0] for pid in living):
                    found.append(f"{client}: processes {living} live, {mine[-1][0]} worked last")
            if not found or time.monotonic() > deadline:
                return found
            await anyio.sleep(0.2)

    # Afterwards.

    def _close_books(self, stage: Stage, clients: list[LoadClient], homes: Homes) -> None:
        report, account, scenario = self.report, self.account, self.scenario
        report.calls = len(account.calls)
        report.requests = sum(client.wire.requests for client in clients)
        report.failed_requests = sum(len(client.wire.failures) for client in clients)
        report.unknown, report.failed_calls = len(account.unknown()), len(account.failed())
        report.longest_stall, report.stalled = account.longest_stall()
        report.recovery = account.recovery(stage.faults)
        if stage.elected_at is not None:
            report.recovery_from_election = max(0.0, stage.faults[0] + report.recovery - stage.elected_at)
            if report.recovery_from_election > AFTER_ELECTION:
                report.problems.append(f"calls were held up for {report.recovery_from_election:.2f} s after the election")
        streams = [stream for client in clients for stream in client.wire.streams.values()]
        report.replayed = sum(stream.replayed for stream in streams)
        lost = {client: len(mine) - 1 for client, mine in processes_of(self.ledger).items() if len(mine) > 1}
        report.lost_processes = sum(lost.values())
        report.notes = stage.notes

        problems = check_ledger(account, self.ledger) + check_results(account) + check_ownership(self.ledger) + homes.problems()
        problems += [problem for stream in streams for problem in stream.problems(scenario.loses_events)]
        problems += [f"{client.name}: 404: {text}" for client in clients for text in dict.fromkeys(client.wire.not_found)]
        if not scenario.fails_calls:
            problems += [f"{call.name} failed: {call.attempts}" for call in account.failed()]
        if not scenario.loses_calls:
            problems += [f"{call.name} has no known outcome: {call.attempts}" for call in account.unknown()]
        if not scenario.loses_processes:
            problems += [f"{client} lost {count} process(es)" for client, count in lost.items()]
        problems += [f"{call.name} is open" for call in account.calls if call.outcome == "open"]
        # Only calls that were under way meanwhile may be lost.
        problems += [f"{call.name} was lost long after the fault" for call in account.unknown() if call.started > stage.mended_at + LEASE]
        report.problems += problems

    def _crashes(self) -> list[str]:
        return [
            f"{daemon.name}: {line}" for daemon in self.cluster.daemons for line in daemon.log().splitlines() if any(word in line for word in CRASHES)
        ]

    def _keep(self) -> None:
        """Who looks for the reason finds every call in a file."""
        with (self.directory / "account").open("w") as file:
            for call in self.account.calls:
                times = f"{call.started - self.account.began:8.3f} {(call.ended or 0) - self.account.began:8.3f}"
                file.write(f"{times} {call.outcome:8} {call.name:28} {call.attempts or ''} {json.dumps(call.result)}\n")


def play(scenario: Scenario, seed: str, directory: Path) -> Report:
    directory.mkdir(parents=True, exist_ok=True)
    return anyio.run(Run(scenario, seed, directory).play)


def run(scenario: Scenario, seed: str, directory: Path) -> Report:
    """Plays a scenario; the report has what was wrong."""
    if not issubclass(scenario.stage, chaos_network.NetworkedCluster):
        return play(scenario, seed, directory)
    done = chaos_network.isolated([str(HERE / "chaos_faults.py"), scenario.name, seed, str(directory)])
    assert done.returncode == 0, done.stdout + done.stderr
    return Report(**json.loads(done.stdout.splitlines()[-1]))


def lasting_ports(count: int) -> list[int]:
    """Free ports below those that the system gives to outgoing connections, so that what was killed gets its own again."""
    found: list[int] = []
    while len(found) < count:
        port = random.SystemRandom().randrange(12000, 32000)
        if port not in found and not ports_in_use([port]):
            found.append(port)
    return found


def new_seed() -> str:
    return os.environ.get("CHAOS_SEED") or str(random.SystemRandom().randrange(10**6))
