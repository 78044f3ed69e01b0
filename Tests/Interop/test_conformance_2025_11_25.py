"""The official conformance scenarios of 2025-11-25: through the gateway they come out as they do without it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import conformance_runs
import httpx
import pytest
from conftest import check_conformance
from rawhttp import RawSession
from scenarios import NOT_SCORED, Legacy
from scenarios_2025_11_25 import REQUIRED, SCENARIOS
from upstreams import http_server

SERVERS = conformance_runs.servers("legacy")
CAPABILITIES = {"sampling": {}, "elicitation": {"form": {}}, "roots": {"listChanged": True}}


@pytest.fixture(scope="module")
def direct() -> Iterator[str]:
    with http_server(conformance_runs.SCRIPT, "legacy") as url:
        yield url


@pytest.fixture
def url(request: pytest.FixtureRequest, route: str, _module_gateways: list[Any]) -> Iterator[str]:
    if route == "directly":
        yield request.getfixturevalue("direct")
    else:
        yield request.getfixturevalue("gateway").server_url(route)
        check_conformance(_module_gateways)


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
