"""Runs mcp-bench-load and reads its figures."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .failure import MeasurementFailed
from .processes import end_with_runner
from .subjects import Subject


@dataclass(frozen=True)
class Pace:
    """How long and how often each figure is measured."""

    seconds: float
    warm_up: float
    rounds: int
    settle: float     # seconds of rest before memory is read
    streams: int
    cost_rounds: int  # at most, of what metrics cost
    cost_seconds: float


FULL = Pace(seconds=3, warm_up=0.5, rounds=3, settle=2, streams=10_000, cost_rounds=60, cost_seconds=150)
QUICK = Pace(seconds=1, warm_up=0.3, rounds=1, settle=1, streams=10_000, cost_rounds=2, cost_seconds=20)


def run_load(load: Path, subject: Subject, mode: str, connections: int, pace: Pace) -> dict:
    command = [
        str(load), mode, "--port", str(subject.port), "--path", subject.path, "--tool", subject.tool,
        "--connections", str(connections), "--seconds", str(pace.seconds), "--warm-up", str(pace.warm_up)]
    for pid in subject.cpu_of:
        command += ["--cpu-of", str(pid)]
    return run_generator(command, f"{subject.name} at {connections} connections", pace.seconds + pace.warm_up + 40)


def run_compare(load: Path, first: Subject, second: Subject, connections: int, calls: int, pairs: int) -> list[tuple[float, float]]:
    """CPU microseconds for each call of both, in pairs of slices of `calls` calls one right after the other, in changing order."""
    command = [
        str(load), "compare", "--port", str(first.port), "--other-port", str(second.port), "--tool", first.tool,
        "--connections", str(connections), "--slice", str(calls), "--pairs", str(pairs)]
    for subject in (first, second):
        command += ["--cpu-of", str(subject.cpu_of[0])]
    return [tuple(pair) for pair in run_generator(command, f"{first.name} and {second.name}", 120)["cpu_us_each"]]


def run_generator(command: list[str], what: str, limit: float) -> dict:
    try:
        # subprocess.run kills and reaps it, too, when this process is told to end.
        finished = subprocess.run(command, capture_output=True, text=True, timeout=limit, preexec_fn=end_with_runner)
    except subprocess.TimeoutExpired as error:
        raise MeasurementFailed(f"{what}: the load generator did not end within {limit:.0f} s") from error
    if finished.returncode != 0:
        raise MeasurementFailed(f"{what}: {finished.stderr.strip()}")
    return json.loads(finished.stdout)


class Hold:
    """mcp-bench-load in its `hold` mode: goes on to the next step when told to."""

    def __init__(self, load: Path, port: int, session_steps: list[int], streams: int):
        self._popen = subprocess.Popen(
            [str(load), "hold", "--port", str(port), "--session-steps", ",".join(map(str, session_steps)), "--streams", str(streams),
             "--timeout", "30"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=end_with_runner)

    def next_step(self, is_first: bool = False) -> dict:
        """Waits for the step's line. Each response has a time limit in the generator, so that this ends."""
        assert self._popen.stdin and self._popen.stdout and self._popen.stderr
        try:
            if not is_first:
                self._popen.stdin.write("\n")
                self._popen.stdin.flush()
            line = self._popen.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise MeasurementFailed(f"sessions and streams: {self._popen.stderr.read().strip()}")
        return json.loads(line)

    def stop(self) -> None:
        if self._popen.poll() is None:
            self._popen.kill()
        self._popen.wait()
        for stream in (self._popen.stdin, self._popen.stdout, self._popen.stderr):
            try:
                stream.close()
            except BrokenPipeError:
                pass
