"""The command line of `benchmarks/soak` and the order of a run."""

import argparse
import asyncio
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path

from .. import machine, tools
from ..command import BENCHMARKS, REPOSITORY, end_on_signal, progress
from ..failure import MeasurementFailed
from ..mcp_probe import get_status, offers_tool
from ..processes import Process, Processes, free_port
from . import report, samples
from .judgement import judge
from .settings import GATEWAY, LIMITS, SESSIONS
from .visits import GRACE, VISITS
from .wire import Unexpected

# The longest that a visit may take, in seconds.
VISIT_SECONDS = 90


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks/soak",
        description="Runs one gateway under clients that come, stall, vanish and return, and fails unless its memory stays flat and it gives everything back.")
    parser.add_argument("--seconds", type=int, default=180, metavar="N", help="how long clients come; the first third is the warm-up (default 180)")
    parser.add_argument("--clients", type=int, default=40, metavar="N", help="at the same time (default 40)")
    parser.add_argument("--binary", type=Path, metavar="PATH", help="an mcp-gateway, release or debug (default: build a release)")
    parser.add_argument("--seed", type=int, metavar="N", help="of the clients' choices (default: another each time; it is printed)")
    parser.add_argument("--work-directory", type=Path, default=Path("/var/tmp"), metavar="DIR", help="where the store is kept meanwhile")
    arguments = parser.parse_args()
    if arguments.seconds < 30 or arguments.clients < 1:
        parser.error("--seconds must be 30 or more, --clients 1 or more")
    if arguments.binary and not os.access(arguments.binary, os.X_OK):
        parser.error(f"--binary: {arguments.binary} is not an executable file")
    return arguments


def find_binaries(binary: Path | None) -> tuple[Path, Path]:
    if binary is None:
        folder = tools.build(REPOSITORY, ["mcp-gateway", "mcp-echo"])
        return folder / "mcp-gateway", folder / "mcp-echo"
    echo = binary.resolve().parent / "mcp-echo"
    return binary.resolve(), echo if echo.exists() else tools.build(REPOSITORY, ["mcp-echo"]) / "mcp-echo"


def start_gateway(processes: Processes, binary: Path, echo: Path, work: Path) -> tuple[Process, int, Path]:
    configuration, port, data = work / "config.json", free_port(), work / "data"
    talker = {"command": sys.executable, "args": ["-S", "-E", str(BENCHMARKS / "talker.py")]}
    configuration.write_text(json.dumps({"mcpServers": {"echo": {"command": str(echo)}, "talk": talker}, "gateway": GATEWAY}))
    process = processes.start("gateway", [
        str(binary), "serve", "--config", str(configuration), "--port", str(port), "--data-directory", str(data)])
    process.wait_until("status 200 of GET /health", lambda: get_status(port, "/health") == 200)
    for tool in ("echo__echo", "talk__talk"):
        process.wait_until(f"the tool {tool}", lambda tool=tool: offers_tool(port, tool))
    return process, port, data


class Soak:
    """One run: the clients, the samples, and what went wrong."""

    def __init__(self, process: Process, port: int, data: Path, arguments: argparse.Namespace):
        self.process, self.port, self.data, self.arguments = process, port, data, arguments
        self.visits: Counter[str] = Counter()
        self.failures: list[str] = []
        self.samples: list[samples.Sample] = []
        self.started = time.monotonic()

    async def sample(self) -> samples.Sample:
        self.process.require_running()
        return await samples.take(self.process.pid, self.port, self.data, self.started)

    async def visit(self, name: str, perform, chance: random.Random) -> None:
        try:
            async with asyncio.timeout(VISIT_SECONDS):
                await perform(self.port, chance)
            self.visits[name] += 1
        except (Unexpected, OSError, EOFError, TimeoutError, ValueError, KeyError, StopAsyncIteration) as error:
            self.failures.append(f"{time.monotonic() - self.started:.0f} s, {name}: {type(error).__name__}: {error}")

    async def client(self, seed: str, until: float) -> None:
        chance = random.Random(seed)
        while time.monotonic() < until and len(self.failures) < 20:
            name, _, perform = chance.choices(VISITS, [share for _, share, _ in VISITS])[0]
            await self.visit(name, perform, chance)

    async def rest(self, seconds: float, baseline: samples.Sample | None = None) -> samples.Sample:
        """Waits until nobody is there any more, and all sessions have ended."""
        deadline = time.monotonic() + seconds
        while True:
            sample = await self.sample()
            is_quiet = not sample.streams and not sample.sessions and not sample.stored and (sample.connections or 0) <= 1
            if is_quiet and (baseline is None or sample.descriptors <= baseline.descriptors) or time.monotonic() > deadline:
                return sample
            await asyncio.sleep(0.5)

    async def run(self) -> dict:
        # One visit of each kind first: what the process opens once and keeps is no leak.
        progress(f"seed {self.arguments.seed}: one visit of each kind")
        chance = random.Random(f"{self.arguments.seed} first")
        await asyncio.gather(*(self.visit(name, perform, chance) for name, _, perform in VISITS))
        leave = SESSIONS["timeToLive"] + LIMITS["idleTimeout"] + GRACE
        baseline = await self.rest(leave)
        progress(f"{self.arguments.clients} clients for {self.arguments.seconds} s; {baseline.descriptors} descriptors before")
        self.started = time.monotonic()
        until = self.started + self.arguments.seconds
        clients = [asyncio.create_task(self.client(f"{self.arguments.seed} {number}", until)) for number in range(self.arguments.clients)]
        while time.monotonic() < until and len(self.failures) < 20:
            self.samples.append(await self.sample())
            await asyncio.sleep(1)
        await asyncio.gather(*clients)
        progress("all clients have gone")
        rest = await self.rest(leave, baseline)
        seconds = self.arguments.seconds
        if len(self.failures) >= 20:
            raise MeasurementFailed("20 visits saw something wrong:\n" + "\n".join(self.failures) + f"\n{self.process.tail()}")
        return {
            "visits": dict(self.visits), "failures": self.failures, "baseline": asdict(baseline), "rest": asdict(rest),
            "verdicts": judge(self.samples, seconds, baseline, rest, len(self.failures)), "samples": [asdict(sample) for sample in self.samples]}


def write_result(run: dict) -> Path:
    folder = BENCHMARKS / "results"
    folder.mkdir(exist_ok=True)
    path = folder / ("soak-" + run["date"].replace("+00:00", "Z").replace(":", "-") + ".json")
    path.write_text(json.dumps(run, indent=1, ensure_ascii=False) + "\n")
    return path


def main() -> int:
    arguments = parse_arguments()
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, end_on_signal)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if arguments.seed is None:
        arguments.seed = random.randrange(1 << 32)
    work = Path(tempfile.mkdtemp(prefix="mcp-soak-", dir=arguments.work_directory))
    try:
        binary, echo = find_binaries(arguments.binary)
        run: dict = {
            "date": datetime.now(timezone.utc).isoformat(timespec="seconds"), "seconds": arguments.seconds, "clients": arguments.clients,
            "seed": arguments.seed, "machine": machine.facts(REPOSITORY, work, binary, None)}
        with Processes(work) as processes:
            process, port, data = start_gateway(processes, binary, echo, work)
            run |= asyncio.run(Soak(process, port, data, arguments).run())
            run["log"] = process.tail(20)
    except MeasurementFailed as failure:
        print(f"benchmarks/soak: {failure}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(work, ignore_errors=True)
    path = write_result(run)
    print(report.render(run))
    print(f"\n{path.relative_to(REPOSITORY)}")
    return 0 if all(verdict["met"] for verdict in run["verdicts"]) else 1
