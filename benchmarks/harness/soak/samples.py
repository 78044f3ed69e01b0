"""What one process takes, second by second, from /proc and from its own /metrics."""

import asyncio
import os
import re
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from .wire import Connection

METRICS = {
    "sessions": "mcp_active_sessions", "stored": "mcp_stored_sessions", "streams": "mcp_sse_connections", "connections": "http_connections",
    "in_progress": "http_requests_in_progress",
}


@dataclass
class Sample:
    """At `second` of the run. Sizes in KiB; a figure that /metrics lacks is None."""

    second: float
    rss: int
    anonymous: int
    descriptors: int
    threads: int
    store: int
    sessions: float | None = None
    stored: float | None = None
    streams: float | None = None
    connections: float | None = None
    in_progress: float | None = None


def status_of(pid: int) -> dict[str, int]:
    found = re.findall(r"^(VmRSS|RssAnon|Threads):\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return {name: int(value) for name, value in found}


def descriptors_of(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def size_of(directory: Path) -> int:
    total = 0
    for path in directory.rglob("*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue
    return total // 1024


def metric(text: str, name: str) -> float | None:
    values = re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)", text, re.MULTILINE)
    return sum(map(float, values)) if values else None


async def metrics_of(port: int) -> dict[str, float | None]:
    async with await Connection.open(port) as connection:
        response = await connection.request("GET", "/metrics", {"Connection": "close"})
        text = (await response.body()).decode()
    if response.status != 200:
        return {}
    return {field: metric(text, name) for field, name in METRICS.items()}


async def take(pid: int, port: int, data: Path, started: float) -> Sample:
    """The process's own figures first: the look at /metrics is a connection too."""
    status, descriptors = status_of(pid), descriptors_of(pid)
    sample = Sample(round(time.monotonic() - started, 1), status["VmRSS"], status["RssAnon"], descriptors, status["Threads"], size_of(data))
    try:
        async with asyncio.timeout(10):
            return Sample(**{**asdict(sample), **await metrics_of(port)})
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return sample
