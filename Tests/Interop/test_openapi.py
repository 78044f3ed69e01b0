"""`/api/openapi.json` describes the API, and the API is what it describes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from gateway import HERE, Gateway, raw
from malformed_rest import ROUTES, WITH_SESSION
from openapi_spec_validator import OpenAPIV31SpecValidator
from restapi import RestClient

# Without the tools that misbehave on purpose: schemathesis reads their names in one answer and calls them in the next request.
SERVERS = {"raw": raw(tools={"allow": ["echo", "count", "pid", "long"]})}
SETTINGS = {"limits": {"maxBodyBytes": "256KiB"}, "streams": {"eventsKeepAlive": "1s"}}


@pytest.fixture(scope="module")
def document(gateway: Gateway) -> dict[str, Any]:
    response = httpx.get(f"{gateway.base_url}/api/openapi.json")
    assert response.status_code == 200 and response.headers["content-type"].startswith("application/json")
    return response.json()


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(method.upper(), path): operation for path, item in document["paths"].items() for method, operation in item.items()}


def test_it_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    errors = [f"{list(error.absolute_path)}: {error.message}" for error in OpenAPIV31SpecValidator(document).iter_errors()]
    assert not errors


def test_every_route_is_described_and_nothing_else_of_the_api(document: dict[str, Any]) -> None:
    described = {(method, path) for method, path in operations(document) if path.startswith(("/api", "/sse"))}
    assert described == {(method, path) for path, method in ROUTES.items()}


def test_every_operation_says_what_it_answers(document: dict[str, Any]) -> None:
    for (method, path), operation in operations(document).items():
        assert operation["operationId"] and operation["summary"], path
        statuses = set(operation["responses"])
        assert statuses & {"200", "204"}, path
        if path.startswith(("/api", "/sse")):
            assert "403" in statuses, path
            if path in WITH_SESSION:
                assert "401" in statuses, path
            if method == "POST" and operation.get("requestBody"):
                assert {"400", "413", "415"} <= statuses, path
    identifiers = [operation["operationId"] for operation in operations(document).values()]
    assert len(identifiers) == len(set(identifiers))


@pytest.mark.parametrize(
    ("path", "statuses"),
    [
        ("/api/session/create", {"200", "400", "413", "415", "429", "503"}), ("/api/session/validate", {"200", "401"}),
        ("/api/session", {"204", "401"}), ("/api/sessions", {"200", "400"}), ("/api/session/ticket", {"200", "401"}),
        ("/api/mcp/tools", {"200", "401"}), ("/api/mcp/call", {"200", "400", "401", "404", "429", "500", "502", "504"}),
        ("/sse/events", {"200", "401", "429"}), ("/api/openapi.json", {"200"}),
    ],
)  # fmt: skip
def test_every_status_is_described(document: dict[str, Any], path: str, statuses: set[str]) -> None:
    described = set(operations(document)[ROUTES[path], path]["responses"])
    assert statuses <= described, statuses - described


async def test_the_answers_of_a_session_fit_the_description(gateway: Gateway, document: dict[str, Any]) -> None:
    """The plain good way, without chance."""

    def fits(response: httpx.Response, method: str, path: str) -> None:
        described = operations(document)[method, path]["responses"][str(response.status_code)]
        schema = described["content"]["application/json"]["schema"]
        jsonschema.Draft202012Validator({**schema, "components": document["components"]}).validate(response.json())

    async with await RestClient(gateway.base_url, "described").create(metadata={"a": 1}) as rest:
        fits(await rest.request("POST", "/api/session/create", {"clientId": "a"}), "POST", "/api/session/create")
        fits(await rest.request("POST", "/api/session/create", {}), "POST", "/api/session/create")
        fits(await rest.request("POST", "/api/session/validate"), "POST", "/api/session/validate")
        fits(await rest.request("GET", "/api/sessions?clientId=described"), "GET", "/api/sessions")
        fits(await rest.request("POST", "/api/session/ticket"), "POST", "/api/session/ticket")
        fits(await rest.request("GET", "/api/mcp/tools"), "GET", "/api/mcp/tools")
        for name in ("raw__echo", "get-development-environment-status", "nothing", "raw__die"):
            fits(await rest.call_response(name, {}), "POST", "/api/mcp/call")
        fits(await rest.request("GET", "/api/mcp/tools", x_session_id="nonsense"), "GET", "/api/mcp/tools")


@pytest.mark.timeout(180)
def test_schemathesis_finds_no_difference(gateway: Gateway, tmp_path: Path) -> None:
    """Generated requests, good and bad: every answer has a described status, content type and schema, and bad ones are refused."""
    base = f"http://127.0.0.1:{gateway.port}"
    # A configuration, lest one further up is found. TRACE is refused by NGINX itself.
    methods = ["get", "put", "post", "delete", "options", "patch", "query"] + ([] if gateway.is_behind_nginx else ["trace"])
    (tmp_path / "schemathesis.toml").write_text(f"[phases.coverage]\nunexpected-methods = {methods}\n")
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "openapi_hooks", "PYTHONPATH": str(HERE), "OPENAPI_BASE_URL": base}
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{base}/api/openapi.json", "--checks=all", "--phases=examples,coverage,fuzzing",
        "--max-examples=40", "--seed=20261124", "--generation-deterministic", "--mode=all", "--workers=1",
        "--request-timeout=10", "--continue-on-failure", "--no-color",
        "--include-path-regex=^/(api|sse)/",
    ]  # fmt: skip
    result = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=170)
    assert result.returncode == 0, (result.stdout + result.stderr)[-12_000:]
    assert re.search(rf"Tested: +{len(ROUTES)}\b", result.stdout), result.stdout
    assert int(re.findall(r"(\d+) generated", result.stdout)[0]) > 200, result.stdout
    assert httpx.get(f"{base}/health").status_code == 200
