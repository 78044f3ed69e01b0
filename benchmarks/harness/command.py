"""The command line of `benchmarks/run` and the order of a run."""

import argparse
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

from . import machine, report, subjects, tools
from .failure import MeasurementFailed
from .load import FULL, QUICK
from .measurements import measure_calls, measure_memory, measure_sessions
from .metrics_cost import measure_metrics
from .processes import Processes
from .verdicts import judge

BENCHMARKS = Path(__file__).resolve().parent.parent
REPOSITORY = BENCHMARKS.parent
PARTS = ("gateway", "nginx", "static", "mcp-proxy", "fastmcp", "direct", "metrics", "sessions", "memory")
OF_GATEWAY = {"gateway", "static", "metrics", "sessions", "memory"}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks/run", description="Measures mcp-gateway beside its peers in one run; README.md in this folder explains the figures.")
    parser.add_argument("--quick", action="store_true", help="one short round of each: a smoke test, not a measurement")
    parser.add_argument("--only", metavar="PART,…", help="some of: " + ", ".join(PARTS))
    parser.add_argument("--binary", type=Path, metavar="PATH", help="a release build of mcp-gateway (default: build it)")
    parser.add_argument("--tools", type=Path, metavar="DIR", help="the folder of mcp-echo and mcp-bench-load (default: beside the binary, or build)")
    parser.add_argument("--static-route", default="/health", metavar="PATH", help="the bare route of the gateway's HTTP stack (default /health)")
    parser.add_argument("--streams-per-session", type=int, default=1, metavar="N", help="of the idle SSE streams (default 1)")
    parser.add_argument("--work-directory", type=Path, default=Path("/var/tmp"), metavar="DIR", help="where stores are kept meanwhile; not a tmpfs")
    parser.add_argument("--strict", action="store_true", help="exit code 1 when a target is missed")
    arguments = parser.parse_args()
    arguments.parts = arguments.only.split(",") if arguments.only else list(PARTS)
    unknown = [part for part in arguments.parts if part not in PARTS]
    if unknown:
        parser.error(f"--only: there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if not 1 <= arguments.streams_per_session <= 10:
        parser.error("--streams-per-session: must be 1 to 10")
    if arguments.binary and not os.access(arguments.binary, os.X_OK):
        parser.error(f"--binary: {arguments.binary} is not an executable file")
    return arguments


def progress(text: str) -> None:
    print(f"… {text}", file=sys.stderr, flush=True)


def find_paths(arguments: argparse.Namespace, work: Path, failures: dict[str, str]) -> subjects.Paths:
    binary = arguments.binary.resolve() if arguments.binary else None
    needs_gateway = bool(OF_GATEWAY & set(arguments.parts))
    if arguments.tools:
        folder = arguments.tools.resolve()
    elif binary and tools.has_tools(binary.parent):
        folder = binary.parent
    else:
        folder = tools.build(REPOSITORY, list(tools.TOOLS) + (["mcp-gateway"] if needs_gateway and not binary else []))
    if not tools.has_tools(folder):
        raise MeasurementFailed(f"{folder} lacks {' or '.join(tools.TOOLS)}")
    if not binary and (folder / "mcp-gateway").is_file():
        binary = folder / "mcp-gateway"
    python = None
    if {"mcp-proxy", "fastmcp"} & set(arguments.parts):
        try:
            python = tools.virtual_environment(BENCHMARKS)
        except MeasurementFailed as failure:
            failures["benchmarks/.venv"] = str(failure)
    return subjects.Paths(binary, folder / "mcp-echo", folder / "mcp-bench-load", folder / "mcp-bench-recording", python, work)


def start_subjects(arguments: argparse.Namespace, paths: subjects.Paths, processes: Processes, failures: dict[str, str]) -> list[subjects.Subject]:
    started: dict[str, subjects.Subject] = {}

    def start(name: str, make) -> None:
        progress(f"{name}: starting")
        try:
            started[name] = make()
        except MeasurementFailed as failure:
            failures[name] = str(failure)

    wanted = set(arguments.parts)
    if wanted & {"gateway", "static"}:
        start("gateway", lambda: subjects.gateway(paths, processes))
    if "gateway" in started:
        start("static", lambda: subjects.static_route(started["gateway"], arguments.static_route))
    if wanted & {"direct", "nginx"}:
        start("direct", lambda: subjects.direct(paths, processes))
    if "nginx" in wanted and "direct" in started:
        start("nginx", lambda: subjects.nginx(paths, processes, started["direct"].port))
    if "mcp-proxy" in wanted:
        start("mcp-proxy", lambda: subjects.mcp_proxy(paths, processes))
    if "fastmcp" in wanted:
        start("fastmcp", lambda: subjects.fastmcp(paths, processes))
    return [started[name] for name in PARTS if name in wanted and name in started]


def measure(arguments: argparse.Namespace, work: Path) -> dict:
    pace = QUICK if arguments.quick else FULL
    failures: dict[str, str] = {}
    paths = find_paths(arguments, work, failures)
    nginx = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    run: dict = {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"), "quick": arguments.quick, "parts": arguments.parts,
        "pace": vars(pace), "machine": machine.facts(REPOSITORY, work, paths.gateway, nginx), "failures": failures}
    with Processes(work) as processes:
        measured = start_subjects(arguments, paths, processes, failures)
        run["titles"] = {subject.name: subject.title for subject in measured}
        run["calls"] = measure_calls(paths.load, measured, pace, failures, progress)
    # These get a machine without the peers, and a gateway of their own each.
    for part, make in (
        ("metrics", lambda processes: measure_metrics(paths, processes, pace, progress)),
        ("sessions", lambda processes: measure_sessions(paths, processes, pace, progress)),
        ("memory", lambda processes: measure_memory(paths, processes, pace, arguments.streams_per_session, progress)),
    ):
        if part in arguments.parts:
            with Processes(work) as processes:
                try:
                    run[part] = make(processes)
                except (MeasurementFailed, OSError) as failure:
                    failures[part] = str(failure)
    run["verdicts"] = judge(run)
    return run


def write_result(run: dict) -> Path:
    folder = BENCHMARKS / "results"
    folder.mkdir(exist_ok=True)
    path = folder / (run["date"].replace("+00:00", "Z").replace(":", "-") + ".json")
    path.write_text(json.dumps(run, indent=2, ensure_ascii=False) + "\n")
    return path


def end_on_signal(number: int, _: object) -> None:
    # Unwinds through every `with` and `finally`, which end the processes.
    raise SystemExit(128 + number)


def main() -> int:
    arguments = parse_arguments()
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, end_on_signal)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    started = time.monotonic()
    work = Path(tempfile.mkdtemp(prefix="mcp-bench-", dir=arguments.work_directory))
    try:
        run = measure(arguments, work)
    except MeasurementFailed as failure:
        print(f"benchmarks/run: {failure}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(work, ignore_errors=True)
    run["wall_seconds"] = round(time.monotonic() - started, 1)
    path = write_result(run)
    print(report.render(run))
    print(f"\n{path.relative_to(REPOSITORY)} ({run['wall_seconds']:.0f} s{'; --quick: a smoke test' if arguments.quick else ''})")
    missed = any(verdict["met"] is False for verdict in run["verdicts"])
    return 1 if run["failures"] or (arguments.strict and missed) else 0
