"""A gateway that is sent what it should not be, and what shows that it took no harm."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import httpx
import malformed
from gateway import Gateway
from malformed import call, initialize
from rawhttp import BOTH, SSE
from wire import Wire


def links(pid: int) -> list[str]:
    """What each open descriptor of a process is."""
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.append(os.readlink(f"/proc/{pid}/fd/{name}"))
        except OSError:
            continue
    return found


def connections() -> list[tuple[int, int, str]]:
    """Local port, remote port and inode of each, by the kernel's table."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = "0A"
    return [(int(row[1][-4:], 16), int(row[2][-4:], 16), row[9]) for row in rows if row[3] != listening]


class Target:
    """The gateway under attack, with what the rows' placeholders stand for."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.port = gateway.port
        self.session = self.start()
        ended = self.start()
        self.exchange("DELETE", ended)
        self.placeholders = {
            malformed.SESSION: self.session,
            malformed.OLD: self.start("2025-03-26"),
            malformed.OTHER: self.start(path="/servers/other/mcp"),
            malformed.ENDED: ended,
            malformed.EVENT: self.stream_of(self.session),
            malformed.FOREIGN: self.stream_of(self.start()),
        }

    def exchange(
        self, method: str, session: str | None, message: Any = None, path: str = "/mcp", http: httpx.Client | None = None
    ) -> httpx.Response:
        headers = {"accept": BOTH}
        if session is not None:
            headers["mcp-session-id"] = session
        send = http.request if http is not None else httpx.request
        return send(method, f"http://127.0.0.1:{self.port}{path}", json=message, headers=headers, timeout=20)

    def start(self, revision: str = "2025-11-25", path: str = "/mcp") -> str:
        response = self.exchange("POST", None, initialize(protocolVersion=revision), path)
        assert response.status_code == 200, response.text
        return response.headers["mcp-session-id"]

    def stream_of(self, session: str) -> str:
        """Makes a stream with events and gives its id."""
        params = {"name": "raw__progress", "arguments": {"steps": 2}, "_meta": {"progressToken": 1}}
        response = self.exchange("POST", session, call(1, "tools/call", params))
        assert response.headers["content-type"].startswith(SSE), response.text
        return re.findall(r"^id: ?(.+)\.\d+$", response.text, re.MULTILINE)[0]

    def fill(self, sent: bytes) -> bytes:
        for name, value in self.placeholders.items():
            sent = sent.replace(name.encode(), value.encode())
        return sent

    def connect(self, **how: Any) -> Wire:
        return Wire(self.port, **how)

    def ping(self) -> bytes:
        return self.fill(malformed.ping())

    def assert_healthy(self) -> None:
        """A good request on a new connection works."""
        with self.connect() as wire:
            wire.send(self.ping())
            answer = wire.read()
            assert (answer.status, answer.json()) == (200, {"jsonrpc": "2.0", "id": 7, "result": {}})

    def descriptors(self) -> list[str]:
        """What each open descriptor of the gateway is; but for what NGINX and other instances keep open for later, if there are any."""
        ports = [port for port in self.gateway.ports if port != self.port]
        kept = {f"socket:[{inode}]" for local, remote, inode in connections() if local in ports or remote in ports}
        return sorted(link for pid in self.gateway.pids for link in links(pid) if link not in kept)

    def connections(self) -> int:
        """The connections of clients that are open."""
        front = {link for pid in self.gateway.front_pids for link in links(pid)}
        return sum(1 for local, _, inode in connections() if local == self.port and f"socket:[{inode}]" in front)

    def memory(self) -> int:
        """Resident bytes."""
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.gateway.pids)
        return pages * os.sysconf("SC_PAGE_SIZE")

    def count(self) -> int:
        """Calls a tool that counts its calls."""
        response = self.exchange("POST", self.session, call(1, "tools/call", {"name": "raw__count"}))
        return response.json()["result"]["structuredContent"]["count"]
