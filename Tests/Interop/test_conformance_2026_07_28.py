"""The official conformance scenarios of 2026-07-28: through the gateway they come out as they do without it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import conformance_runs
import pytest
from conftest import check_conformance
from scenarios import NOT_SCORED
from scenarios_2026_07_28 import REQUIRED, SCENARIOS, subject
from upstreams import http_server

SERVERS = conformance_runs.servers("modern")


@pytest.fixture(scope="module")
def direct() -> Iterator[str]:
    with http_server(conformance_runs.SCRIPT, "modern") as url:
        yield url


@pytest.fixture
def url(request: pytest.FixtureRequest, route: str, _module_gateways: list[Any]) -> Iterator[str]:
    if route == "directly":
        yield request.getfixturevalue("direct")
    else:
        yield request.getfixturevalue("gateway").server_url(route)
        check_conformance(_module_gateways)


def test_every_scenario_of_the_requirement_set_is_here() -> None:
    assert sorted(SCENARIOS) == sorted(REQUIRED) and len(REQUIRED) == 37


@pytest.mark.parametrize(("route", "name"), conformance_runs.runs([*SCENARIOS, *NOT_SCORED], conformance_runs.NOT_BRIDGED))
async def test_a_scenario_of_2026_07_28_comes_out_well(url: str, route: str, name: str) -> None:
    tested = subject(url)
    async with tested.client:
        await (SCENARIOS | NOT_SCORED)[name](tested)
