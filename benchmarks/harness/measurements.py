"""The measurements: calls, sessions, memory. Each returns plain dictionaries for the report."""

import statistics
import time
from pathlib import Path

from .failure import MeasurementFailed
from .load import Hold, Pace, run_load
from .mcp_probe import get_status, session_lives
from .processes import Process, Processes
from .subjects import Paths, Subject, start_gateway

CONNECTIONS = (1, 16, 64)
WARM_UP_SESSIONS = 100
SESSIONS = 1_000


def median_of(rounds: list[dict]) -> dict:
    """The median of each figure over the rounds, with the rates of all rounds."""
    figures = {key: statistics.median(each[key] for each in rounds) for key in rounds[0] if isinstance(rounds[0][key], (int, float))}
    return figures | {"rounds_per_second": [each["per_second"] for each in rounds]}


def measure_calls(load: Path, subjects: list[Subject], pace: Pace, failures: dict[str, str], progress) -> dict:
    """Subjects take turns within each round, so that what else the machine does meets all of them."""
    results: dict[str, dict] = {subject.name: {} for subject in subjects}
    for connections in CONNECTIONS:
        rounds: dict[str, list[dict]] = {subject.name: [] for subject in subjects}
        for number in range(pace.rounds):
            for subject in subjects:
                if subject.name in failures:
                    continue
                progress(f"{subject.name}: {connections} connections, round {number + 1} of {pace.rounds}")
                try:
                    rounds[subject.name].append(run_load(load, subject, subject.mode, connections, pace))
                except MeasurementFailed as failure:
                    failures[subject.name] = str(failure)
        for subject in subjects:
            if subject.name not in failures:
                results[subject.name][str(connections)] = median_of(rounds[subject.name])
    return results


def measure_sessions(paths: Paths, processes: Processes, pace: Pace, progress) -> dict:
    """Sessions per second, and how many of the last ones answer after kill -9 and a restart."""
    process, port = start_gateway(paths, processes, "gateway-sessions")
    subject = Subject("sessions", "sessions", port, cpu_of=[process.pid], process=process)
    rounds = []
    for number in range(pace.rounds):
        progress(f"sessions: round {number + 1} of {pace.rounds}")
        rounds.append(run_load(paths.load, subject, "sessions", 64, pace))
    process.kill()
    processes.stop(process)
    progress("sessions: kill -9, restart, ask again")
    created = rounds[-1]["last_sessions"]
    process, port = start_gateway(paths, processes, "gateway-sessions", port)
    survived = sum(session_lives(port, session) for session in created)
    processes.stop(process)
    return median_of(rounds) | {"checked_after_kill": len(created), "survived_kill": survived}


def memory_of(process: Process) -> dict:
    process.require_running()
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if ":" in line)
    return {"rss_kib": int(fields["VmRSS"].split()[0]), "anonymous_kib": int(fields["RssAnon"].split()[0])}


def measure_memory(paths: Paths, processes: Processes, pace: Pace, streams_per_session: int, progress) -> dict:
    """RSS of a fresh gateway: idle, with 1,000 sessions, with a session for each stream, with idle streams."""
    process, port = start_gateway(paths, processes, "gateway-memory")

    def settled_memory() -> dict:
        time.sleep(pace.settle)
        return memory_of(process)

    sessions_for_streams = max(SESSIONS, pace.streams // streams_per_session)
    steps = sorted({WARM_UP_SESSIONS, SESSIONS, sessions_for_streams})
    result: dict = {"streams": pace.streams, "sessions_of_streams": sessions_for_streams, "idle": settled_memory()}
    hold = Hold(paths.load, port, steps, pace.streams)
    try:
        # The first sessions bring the code that serves them into memory; what one more session takes is seen after them.
        progress(f"memory: {WARM_UP_SESSIONS} sessions to warm up")
        hold.next_step(is_first=True)
        result["warm"] = settled_memory()
        progress(f"memory: {SESSIONS} sessions")
        hold.next_step()
        result["with_1000_sessions"] = result["before_streams"] = settled_memory()
        if len(steps) > 2:
            progress(f"memory: {sessions_for_streams} sessions")
            hold.next_step()
            result["before_streams"] = settled_memory()
        progress(f"memory: {pace.streams} idle streams")
        hold.next_step()
        result["with_streams"] = settled_memory()
        if get_status(port, "/health") != 200:
            raise MeasurementFailed(f"/health is not 200 while {pace.streams} streams are open")
        still_open = hold.next_step()["open"]
        if still_open != pace.streams:
            raise MeasurementFailed(f"only {still_open} of {pace.streams} idle streams stayed open")
    finally:
        hold.stop()
    processes.stop(process)

    def growth(name: str, since: str, count: int) -> float:
        return (result[name]["rss_kib"] - result[since]["rss_kib"]) / count

    result["kib_per_session"] = growth("with_1000_sessions", "warm", SESSIONS - WARM_UP_SESSIONS)
    if sessions_for_streams > SESSIONS:
        result["kib_per_further_session"] = growth("before_streams", "with_1000_sessions", sessions_for_streams - SESSIONS)
    result["kib_per_stream"] = growth("with_streams", "before_streams", pace.streams)
    return result
