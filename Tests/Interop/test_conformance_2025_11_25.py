"""The official conformance scenarios of 2025-11-25: through the gateway they come out as they do without it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import conformance_runs
import httpx
import pytest
from conformance_runs import direct, url  # noqa: F401 (fixtures)
from rawhttp import RawSession
from scenarios import NOT_SCORED, Legacy
from scenarios_2025_11_25 import REQUIRED, SCENARIOS

ERA = "legacy"
SERVERS = conformance_runs.servers(ERA)
CAPABILITIES = {"sampling": {}, "elicitation": {"form": {}}, "roots": {"listChanged": True}}


def test_every_scenario_of_the_requirement_set_is_here() -> None:
    assert sorted(SCENARIOS) == sorted(REQUIRED) and len(REQUIRED) == 30


@pytest.fixture(scope="module")
async def sessions() -> AsyncIterator[dict[str, RawSession]]:
    """One session for each route, because a session may cost a process."""
    opened: dict[str, RawSession] = {}
    yield opened
    for session in opened.values():
        # Whose server has ended by now has ended with it.
        with contextlib.suppress(httpx.TransportError):
            await session.delete()
        await session.http.aclose()


@pytest.mark.parametrize(("route", "name"), conformance_runs.runs([*SCENARIOS, *NOT_SCORED], {}))
async def test_a_scenario_of_2025_11_25_comes_out_well(
    url: str, sessions: dict[str, RawSession], route: str, name: str
) -> None:
    if route not in sessions:
        sessions[route] = RawSession(url)
        await sessions[route].initialize(CAPABILITIES)
    await (SCENARIOS | NOT_SCORED)[name](Legacy(sessions[route]))
