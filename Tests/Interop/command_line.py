"""The gateway's command line, and where things are. Needs nothing but Python's own library."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BINARY = Path(os.environ.get("MCP_GATEWAY_BINARY", ROOT / ".build/debug/mcp-gateway"))
PYTHON = sys.executable
SCRIPTS = Path(PYTHON).parent


class CommandLine:
    """The gateway's command line, in one place."""

    @staticmethod
    def serve(config: Path, port: int, data: Path) -> list[str]:
        return [str(BINARY), "serve", "--config", str(config), "--port", str(port), "--data-directory", str(data)]

    @staticmethod
    def stdio(config: Path, data: Path) -> list[str]:
        return [str(BINARY), "stdio", "--config", str(config), "--data-directory", str(data)]

    @staticmethod
    def connect(url: str) -> list[str]:
        return [str(BINARY), "connect", url]

    @staticmethod
    def tools_list(url: str, *more: str) -> list[str]:
        return [str(BINARY), "tools", "list", "--url", url, *more]

    @staticmethod
    def tools_call(url: str, name: str, arguments: str, *more: str) -> list[str]:
        return [str(BINARY), "tools", "call", name, "--arguments", arguments, "--url", url, *more]

    @staticmethod
    def health(url: str, *more: str) -> list[str]:
        return [str(BINARY), "health", "--url", url, *more]

    @staticmethod
    def doctor(config: Path, data: Path) -> list[str]:
        return [str(BINARY), "doctor", "--config", str(config), "--data-directory", str(data)]

    @staticmethod
    def nginx_config(*options: str) -> list[str]:
        return [str(BINARY), "nginx-config", *options]

    @staticmethod
    def import_file(source: Path, config: Path) -> list[str]:
        return [str(BINARY), "import", str(source), "--output", str(config)]


def free_ports(count: int) -> list[int]:
    """Ports that nobody has now, each another."""
    # None that the system gives to connections that go out: one of them could have it before who asked for it.
    end = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    choice = random.SystemRandom()
    ports: list[int] = []
    with contextlib.ExitStack() as stack:
        while len(ports) < count:
            port = choice.randrange(10_000, max(end, 20_000))
            one = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                one.bind(("127.0.0.1", port))
                ports.append(port)
    return ports


def free_port() -> int:
    return free_ports(1)[0]
