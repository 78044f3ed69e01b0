"""NGINX, run by a normal user with the configuration that `mcp-gateway nginx-config` makes."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from daemons import Daemon, program
from command_line import CommandLine, free_port


def nginx_program() -> str:
    return program("nginx", "nginx-light")


def as_me() -> list[str]:
    """Workers of a master that runs as root could not enter the directories of tests."""
    return ["--user", pwd.getpwuid(0).pw_name] if os.geteuid() == 0 else []


class Nginx(Daemon):
    """In front of `instances` (addresses). More options are those of `mcp-gateway nginx-config`."""

    def __init__(
        self,
        directory: Path,
        instances: Sequence[str],
        *options: str,
        port: int | None = None,
        config: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.port = port or free_port()
        self.instances = list(instances)
        self.options = list(options)
        self.config = config
        self.path = directory / "nginx.conf"
        self.access_log = directory / "access.log"
        self.pid_path = directory / "nginx.pid"
        directory.mkdir(parents=True, exist_ok=True)
        super().__init__(
            "nginx",
            [nginx_program(), "-c", self.path, "-e", directory / "nginx.log", "-g", "daemon off;"],
            directory,
            self._accepts,
            env=env,
            stop_signal=signal.SIGQUIT,
        )

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.base_url}/mcp"

    def launch(self) -> None:
        self.write_configuration()
        super().launch()

    def write_configuration(self) -> None:
        """Has the command write it, which lets NGINX check it first."""
        arguments = [word for address in self.instances for word in ("--instance", address)]
        arguments += ["--listen", f"127.0.0.1:{self.port}", "--directory", str(self.directory), "--output", str(self.path)]
        arguments += ["--access-log", str(self.access_log), "--error-log", str(self.log_path), *as_me(), *self.options]
        if self.config is not None:
            arguments += ["--config", str(self.config)]
        done = subprocess.run(
            CommandLine.nginx_config(*arguments), cwd=self.directory, env=self.env, capture_output=True, text=True, timeout=30
        )
        assert done.returncode == 0, f"mcp-gateway nginx-config: {done.stderr}"

    def reload(self) -> None:
        """Writes the configuration anew and has it taken up; connections stay."""
        self.write_configuration()
        os.kill(self.pid, signal.SIGHUP)

    def close(self, timeout: float = 5) -> str | None:
        """Streams have no end, so those that are open after the time are cut."""
        if self.is_running:
            os.kill(self.pid, signal.SIGQUIT)
            try:
                self.process.wait(1)  # type: ignore[union-attr]
            except subprocess.TimeoutExpired:
                self.stop_signal = signal.SIGTERM
        return super().close(timeout)

    def _accepts(self) -> bool:
        try:
            # Written when the port is its own; else somebody else may accept there.
            if self.pid_path.read_text().strip() != str(self.pid):
                return False
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False
