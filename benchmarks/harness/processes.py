"""Starts processes and ends each of them, by its id, however the run ends."""

import ctypes
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from .failure import MeasurementFailed

PR_SET_PDEATHSIG = 1
STOP_SECONDS = 8
_libc = ctypes.CDLL(None, use_errno=True)


def end_with_runner() -> None:
    # Covers what no handler can: a runner that is killed.
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def children_of(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


class Process:
    """One process of the run; its output goes to a file in the work directory."""

    def __init__(self, name: str, command: list[str], directory: Path, environment: dict[str, str] | None = None):
        self.name = name
        self.log = directory / f"{name}.log"
        self._children: list[int] = []
        with open(self.log, "ab") as output:
            self._popen = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=directory,
                env={**os.environ, **(environment or {})}, preexec_fn=end_with_runner)
        self.pid = self._popen.pid

    def tail(self, lines: int = 15) -> str:
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""

    def require_running(self) -> None:
        if self._popen.poll() is not None:
            raise MeasurementFailed(f"{self.name} ended with {self._popen.returncode}; its last lines:\n{self.tail()}")

    def wait_until(self, what: str, condition, seconds: float = 30) -> None:
        """Waits until `condition` returns a true value; it may raise OSError while the process starts."""
        deadline = time.monotonic() + seconds
        seen: object = None
        while time.monotonic() < deadline:
            self.require_running()
            try:
                if condition():
                    return
            except OSError as error:
                seen = error
            time.sleep(0.05)
        raise MeasurementFailed(f"{self.name}: {what} did not come within {seconds:.0f} s ({seen}); its last lines:\n{self.tail()}")

    def kill(self) -> None:
        self._popen.kill()
        self._popen.wait()

    def stop(self) -> None:
        if self._popen.poll() is not None:
            return
        children = children_of(self.pid)
        self._popen.terminate()
        try:
            self._popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            # A killed parent cannot end its own children.
            for child in children:
                if Path(f"/proc/{child}").exists():
                    os.kill(child, signal.SIGTERM)


class Processes:
    """All processes of the run. A context manager: leaving it stops them, the youngest first."""

    def __init__(self, directory: Path):
        self.directory = directory
        self._all: list[Process] = []

    def start(self, name: str, command: list[str], environment: dict[str, str] | None = None) -> Process:
        try:
            process = Process(name, command, self.directory, environment)
        except OSError as error:
            raise MeasurementFailed(f"cannot start {command[0]}: {error.strerror}") from error
        self._all.append(process)
        return process

    def stop(self, process: Process) -> None:
        process.stop()
        self._all.remove(process)

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *_: object) -> None:
        while self._all:
            self._all.pop().stop()
