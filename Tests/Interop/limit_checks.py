"""What the tests of limits have in common, and the list of the limits that have one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import httpx
from gateway import Gateway
from metrics import Metrics, wait_for_metric
from rawhttp import RawSession

# The limits that have a test; one compares them with the documentation.
TESTED: set[str] = set()


def limit(key: str) -> Callable[[Any], Any]:
    """Marks the test of a limit."""
    TESTED.add(key)
    return lambda test: test


def counted(gateway: Gateway, key: str, before: float = 0) -> None:
    wait_for_metric(gateway, f"a hit of {key} is counted", lambda m: m.value("mcp_limit_hits_total", limit=key) > before)


def rpc_refused(response: httpx.Response, status: int, key: str, retry: bool = False) -> None:
    """A JSON-RPC error that names the limit."""
    assert response.status_code == status, f"{response.status_code} {response.text}"
    assert key in response.json()["error"]["message"], response.text
    assert (int(response.headers.get("retry-after", 0)) > 0) == retry, response.headers


async def started(gateway: Gateway, revision: str = "2025-11-25") -> RawSession:
    session = RawSession(gateway.url, revision)
    await session.initialize()
    return session


async def until_in_flight(gateway: Gateway, count: int) -> None:
    with anyio.fail_after(15):
        while Metrics(gateway).value("mcp_upstream_in_flight", upstream="raw") != count:
            await anyio.sleep(0.02)
