"""Servers of either era for the tests, on stdio (as configuration of the gateway) and over HTTP (running)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import processes
from gateway import HERE, PYTHON, free_port


def stdio(script: str, era: str, **settings: Any) -> dict[str, Any]:
    """The configuration of a server on stdio."""
    return {"command": PYTHON, "args": [str(HERE / "servers" / script), "--era", era], **settings}


@contextmanager
def http_server(script: str, era: str) -> Iterator[str]:
    """Runs a server over Streamable HTTP for the time of a block; its URL."""
    port = free_port()
    process = subprocess.Popen([sys.executable, str(HERE / "servers" / script), "--era", era, "--http", str(port)])

    def is_up() -> bool:
        assert process.poll() is None, f"{script} did not start"
        try:
            httpx.get(f"http://127.0.0.1:{port}/mcp", timeout=2)
        except httpx.TransportError:
            return False
        return True

    try:
        processes.wait_until(f"{script} answers", is_up, 20)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        process.wait(10)
