"""One process that a test, or `make cluster`, runs beside others: started, watched, frozen, killed, and never left behind."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from processes import wait_until

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def program(name: str, package: str) -> str:
    """Where a program is; says what to install if it is nowhere."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/sbin")
    if found is None:
        raise AssertionError(f"no {name}: run scripts/install-dependencies --test (Debian: {package})")
    return found


def _die_with_parent() -> None:
    # Whoever is killed with -9 cannot stop anything any more.
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


class Daemon:
    """`ready` says whether it works; it is asked until it does. `stop_signal` ends it cleanly."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        directory: Path,
        ready: Callable[[], bool],
        env: Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self.arguments = [str(word) for word in command]
        self.directory = directory
        self.ready = ready
        self.env = dict(env if env is not None else os.environ)
        self.stop_signal = stop_signal
        self.log_path = directory / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.frozen = False
        self.was_ready = False
        self.is_ending = False

    @property
    def pid(self) -> int:
        assert self.process is not None, f"{self.name} was not started"
        return self.process.pid

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self.process.poll() if self.process is not None else None

    def start(self, timeout: float = 30) -> None:
        """Starts it and waits until it is ready; if it never is, what it said is in the error."""
        self.launch()
        self.wait(timeout)

    def launch(self) -> None:
        """Starts it and does not wait."""
        assert not self.is_running, f"{self.name} is running"
        self.directory.mkdir(parents=True, exist_ok=True)
        self.frozen = self.was_ready = self.is_ending = False
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env=self.env,
                # Ctrl-C is for whoever started this, who stops everything in order.
                start_new_session=True,
                # The signal comes when the thread ends that started it, so only where that is the process itself.
                preexec_fn=_die_with_parent if threading.current_thread() is threading.main_thread() else None,
            )

    def wait(self, timeout: float = 30) -> None:
        try:
            wait_until(f"{self.name} is ready", self._is_ready, timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log_tail()}") from None
        self.was_ready = True

    def _is_ready(self) -> bool:
        assert self.process is not None
        if (code := self.process.poll()) is not None:
            raise AssertionError(f"{self.name} exited with {code} instead of starting: {' '.join(self.arguments)}")
        return self.ready()

    def kill(self) -> None:
        """kill -9, also of one that is frozen."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(5)

    def terminate(self, timeout: float = 30) -> int:
        """The clean end; answers the exit code."""
        self.begin_to_end()
        assert self.process is not None
        return self.process.wait(timeout)

    def begin_to_end(self) -> None:
        """Tells it to end and does not wait. Once: the second signal means "at once" to a gateway."""
        assert self.process is not None
        self.thaw()
        if not self.is_ending:
            self.is_ending = True
            self.process.send_signal(self.stop_signal)

    def freeze(self) -> None:
        """SIGSTOP: it lives, keeps its connections, and answers nothing."""
        os.kill(self.pid, signal.SIGSTOP)
        self.frozen = True

    def thaw(self) -> None:
        if self.frozen and self.is_running:
            os.kill(self.pid, signal.SIGCONT)
        self.frozen = False

    def close(self, timeout: float = 15) -> str | None:
        """Ends it, cleanly if it can be; answers what was wrong with that, if anything was."""
        if not self.is_running:
            return None
        try:
            code = self.terminate(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            return f"{self.name} did not end within {timeout:g} s of {self.stop_signal.name} and was killed\n{self.log_tail()}"
        # Until it was ready, it may not have known what to do at the signal.
        return None if code == 0 or not self.was_ready and code == -self.stop_signal else f"{self.name} ended with {code}\n{self.log_tail()}"

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_tail(self, lines: int = 30) -> str:
        return f"{self.name}'s log ({self.log_path}):\n" + "\n".join(self.log().splitlines()[-lines:])
