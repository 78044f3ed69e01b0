"""The official conformance scenarios of 2026-07-28: through the gateway they come out as they do without it."""

from __future__ import annotations

import conformance_runs
import pytest
from conformance_runs import direct, url  # noqa: F401 (fixtures)
from scenarios import NOT_SCORED
from scenarios_2026_07_28 import REQUIRED, SCENARIOS, subject

ERA = "modern"
SERVERS = conformance_runs.servers(ERA)


def test_every_scenario_of_the_requirement_set_is_here() -> None:
    assert sorted(SCENARIOS) == sorted(REQUIRED) and len(REQUIRED) == 37


@pytest.mark.parametrize(("route", "name"), conformance_runs.runs([*SCENARIOS, *NOT_SCORED], conformance_runs.NOT_BRIDGED))
async def test_a_scenario_of_2026_07_28_comes_out_well(url: str, route: str, name: str) -> None:
    tested = subject(url)
    async with tested.client:
        await (SCENARIOS | NOT_SCORED)[name](tested)
