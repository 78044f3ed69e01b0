"""Runs the conformance scenarios against a server directly, through the gateway, and crossed: the server speaks only the other era."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from conftest import check_conformance
from upstreams import http_server, stdio

SCRIPT = "conformance_server.py"
ROUTES = [
    "directly",
    pytest.param("gateway", marks=pytest.mark.binary),
    pytest.param("crossed", marks=pytest.mark.binary),
]


def servers(era: str) -> dict[str, Any]:
    """The gateway's servers for the scenarios of an era."""
    other = {"legacy": "modern", "modern": "legacy"}[era]
    return {"gateway": stdio(SCRIPT, era, isolation="session"), "crossed": stdio(SCRIPT, other, isolation="session")}


@pytest.fixture(scope="module")
def direct(request: pytest.FixtureRequest) -> Iterator[str]:
    """The server alone, in the era (`ERA`) of the module's scenarios; its URL."""
    with http_server(SCRIPT, request.module.ERA) as url:
        yield url


@pytest.fixture
def url(request: pytest.FixtureRequest, route: str, _module_gateways: list[Any]) -> Iterator[str]:
    """Where a scenario is run."""
    if route == "directly":
        yield request.getfixturevalue("direct")
    else:
        yield request.getfixturevalue("gateway").server_url(route)
        check_conformance(_module_gateways)


NOT_BRIDGED = {
    "input-required-result-basic-elicitation": "it asks for a key by name, and a server of before 2026-07-28 gives its requests "
    "no keys (2026-07-28 basic/patterns/mrtr, InputRequests: keys are assigned by the server)",
    "input-required-result-multiple-input-requests": "a server of before 2026-07-28 asks one question in a request of its own, "
    "and its next one may depend on the answer (2025-11-25 client/elicitation, client/sampling, client/roots)",
    "input-required-result-ignore-extra-params": "the answers come before the question: a server of before 2026-07-28 gives its "
    "requests no keys that a client could know (2026-07-28 basic/patterns/mrtr, InputRequests)",
}
"""What a modern client cannot have of a legacy server, and why."""


def runs(names: list[str], unbridged: dict[str, str]) -> list[Any]:
    """A row for each route and scenario; those that cannot be bridged must fail."""
    rows = []
    for route in ROUTES:
        for name in sorted(names):
            mark, plain = (route.marks, route.values[0]) if not isinstance(route, str) else ((), route)
            if plain == "crossed" and name in unbridged:
                mark = (*mark, pytest.mark.xfail(reason=unbridged[name], strict=True))
            rows.append(pytest.param(plain, name, marks=mark, id=f"{plain}-{name}"))
    return rows
