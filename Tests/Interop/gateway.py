"""Runs the gateway's binary as a user would, with a configuration file and a data directory of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import uuid
from pathlib import Path
from typing import Any

import httpx
import processes
from command_line import BINARY, HERE, PYTHON, ROOT, SCRIPTS, CommandLine, free_port
from processes import wait_until
from recorder import Recorder

# Also for those that know them from here.
__all__ = ["BINARY", "HERE", "PYTHON", "ROOT", "SCRIPTS", "CommandLine", "Gateway", "everything", "free_port", "raw"]


def everything(**settings: Any) -> dict[str, Any]:
    """The configuration of the server that uses everything."""
    return {"command": PYTHON, "args": [str(HERE / "servers/everything.py")], **settings}


def raw(**settings: Any) -> dict[str, Any]:
    """The configuration of the server in the standard library. -S -E: no site packages, so that it starts in a blink."""
    return {"command": PYTHON, "args": ["-S", "-E", str(HERE / "servers/raw.py")], **settings}


class Gateway:
    """One gateway: its configuration, its process (which may be killed and started again) and what it sent."""

    def __init__(self, directory: Path, servers: dict[str, Any], gateway: dict[str, Any] | None = None) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.mark = f"INTEROP_MARK_{uuid.uuid4().hex}"
        self.config_path = directory / "mcp-gateway.json"
        self.data = directory / "data"
        self.log_path = directory / "gateway.log"
        self.port = free_port()
        self.recorder = Recorder(self.port)
        self.process: subprocess.Popen[bytes] | None = None
        self.expected_exit = False
        self.settings = gateway or {}
        self.write_config(servers)

    # Configuration.

    def write_config(self, servers: dict[str, Any]) -> None:
        """Writes the configuration file; each server is marked so that its processes can be found after it was orphaned."""
        self.servers = servers
        marked = {}
        for name, server in servers.items():
            marked[name] = dict(server)
            if "command" in server:
                marked[name]["env"] = {**server.get("env", {}), "INTEROP_MARK": self.mark}
        content: dict[str, Any] = {"mcpServers": marked}
        if self.settings:
            content["gateway"] = self.settings
        self.write_config_text(json.dumps(content, indent=2))

    def write_config_text(self, text: str) -> None:
        """Replaces the file as editors do: a new file, renamed over the old one."""
        temporary = self.config_path.with_suffix(".new")
        temporary.write_text(text)
        temporary.replace(self.config_path)

    # Addresses. Clients use the recorder's port.

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.recorder.port}"

    @property
    def url(self) -> str:
        return f"{self.base_url}/mcp"

    def server_url(self, name: str) -> str:
        return f"{self.base_url}/servers/{name}/mcp"

    @property
    def ports(self) -> list[int]:
        """Of its processes."""
        return [self.port]

    @property
    def pids(self) -> list[int]:
        """Its processes."""
        return [self.pid]

    @property
    def front_pids(self) -> list[int]:
        """The processes that clients are connected to."""
        return self.pids

    @property
    def instance_names(self) -> list[str]:
        """What its processes call themselves."""
        return [self.settings["instanceID"]]

    @property
    def is_behind_nginx(self) -> bool:
        return False

    # Life.

    def start(self, timeout: float = 30) -> None:
        assert self.process is None or self.process.poll() is not None
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("MCP_", "PYTEST_"))}
        environment["PATH"] = f"{SCRIPTS}:{environment.get('PATH', '')}"
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                CommandLine.serve(self.config_path, self.port, self.data),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env=environment,
            )
        self.expected_exit = False
        try:
            wait_until("the gateway answers /health", self._is_healthy, timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log_tail()}") from None

    def _is_healthy(self) -> bool:
        assert self.process is not None
        if (code := self.process.poll()) is not None:
            raise AssertionError(f"the gateway exited with {code} instead of starting")
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/health", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.expected_exit = True
        self.process.kill()
        self.process.wait(5)

    def begin_to_end(self) -> None:
        """SIGTERM, and no wait."""
        assert self.process is not None
        self.expected_exit = True
        self.process.terminate()

    def wait_for_end(self, timeout: float = 30) -> int:
        """Answers the exit code."""
        assert self.process is not None
        return self.process.wait(timeout)

    def terminate(self, timeout: float = 30) -> int:
        """SIGTERM; answers the exit code."""
        self.begin_to_end()
        return self.wait_for_end(timeout)

    def restart(self, how: str = "kill") -> None:
        if how == "kill":
            self.kill()
        else:
            assert self.terminate() == 0, self.log_tail()
        self.start()

    def close(self) -> None:
        """Stops it and shows that nothing is left."""
        try:
            if self.process is not None and self.process.poll() is None:
                code = self.terminate()
                assert code == 0, f"exit code {code} on SIGTERM\n{self.log_tail()}"
            elif self.process is not None:
                assert self.expected_exit, f"the gateway died with {self.process.returncode}\n{self.log_tail()}"
            self.assert_no_orphans()
        finally:
            if self.process is not None and self.process.poll() is None:
                self.process.kill()
                self.process.wait(5)
            for pid in self.children():
                os.kill(pid, signal.SIGKILL)
            self.recorder.close()

    # What can be seen of it.

    def children(self) -> set[int]:
        """The live processes that it started, and theirs, wherever they hang now."""
        return processes.marked(self.mark)

    def assert_no_orphans(self, timeout: float = 10) -> None:
        try:
            wait_until("every child is gone", lambda: not self.children(), timeout)
        except AssertionError:
            raise AssertionError(f"orphans:\n{processes.describe(self.children())}\n{self.log_tail()}") from None

    def assert_no_zombies(self, timeout: float = 5) -> None:
        try:
            wait_until("every ended child is waited for", lambda: not processes.zombies(self.pid), timeout)
        except AssertionError:
            raise AssertionError(f"zombies:\n{processes.describe(processes.zombies(self.pid))}") from None

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_tail(self, lines: int = 40) -> str:
        return "gateway log:\n" + "\n".join(self.log().splitlines()[-lines:])
