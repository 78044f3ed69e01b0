"""The source document's own tests: the integration test of its section 4.1, case by case, and the smoke test of 5.1."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import threading
from collections.abc import Iterator

import anyio
import httpx
import pytest
from gateway import ROOT, Gateway, raw
from restapi import RestClient

SERVERS = {"raw": raw()}
SMOKE_TEST = ROOT / "scripts/smoke-test"


@pytest.fixture(scope="module")
def session_id(gateway: Gateway) -> str:
    """beforeAll"""
    response = httpx.post(f"{gateway.base_url}/api/session/create", json={"clientId": "test-client"})
    return response.json()["sessionId"]


class TestSessionManagement:
    def test_should_create_a_valid_session(self, session_id: str) -> None:
        assert session_id is not None
        assert re.match(r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$", session_id, re.IGNORECASE)

    def test_should_validate_existing_session(self, gateway: Gateway, session_id: str) -> None:
        response = httpx.post(
            f"{gateway.base_url}/api/session/validate", headers={"Content-Type": "application/json", "X-Session-ID": session_id}
        )
        assert response.is_success


class TestMCPToolOperations:
    def test_should_list_available_tools(self, gateway: Gateway, session_id: str) -> None:
        response = httpx.get(f"{gateway.base_url}/api/mcp/tools", headers={"X-Session-ID": session_id})
        data = response.json()
        assert response.is_success
        assert isinstance(data["tools"], list)
        assert len(data["tools"]) > 0

    def test_should_execute_tool_call(self, gateway: Gateway, session_id: str) -> None:
        response = httpx.post(
            f"{gateway.base_url}/api/mcp/call",
            headers={"Content-Type": "application/json", "X-Session-ID": session_id},
            content=json.dumps({"name": "get-development-environment-status", "arguments": {}}),
            timeout=30,
        )
        assert response.is_success
        result = response.json()
        assert result.get("content") is not None


class TestSSEEventStream:
    async def test_should_establish_sse_connection(self, gateway: Gateway, session_id: str) -> None:
        async with RestClient(gateway.base_url, session_id=session_id) as rest, rest.events() as feed:
            assert feed.response.is_success

    async def test_should_receive_events_over_sse(self, gateway: Gateway, session_id: str) -> None:
        received_events = []
        async with RestClient(gateway.base_url, session_id=session_id) as rest, rest.events() as feed:
            # The document waits a second; the event has to come within it.
            with anyio.fail_after(1):
                received_events.append((await feed.next("connected")).message)
        assert len(received_events) > 0
        assert received_events[0]["sessionId"] == session_id


# The smoke test.


def smoke(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SMOKE_TEST), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )


def test_the_smoke_test_passes(gateway: Gateway) -> None:
    for url in (gateway.base_url, f"{gateway.base_url}/"):
        result = smoke(url)
        assert result.returncode == 0, result.stdout + result.stderr
        assert "Smoke tests passed" in result.stdout
        assert result.stderr == ""


def test_the_smoke_test_leaves_no_session_behind(gateway: Gateway) -> None:
    assert smoke(gateway.base_url).returncode == 0
    session = httpx.post(f"{gateway.base_url}/api/session/create", json={"clientId": "smoke-test"}).json()["sessionId"]
    listed = httpx.get(f"{gateway.base_url}/api/sessions?clientId=smoke-test", headers={"X-Session-ID": session}).json()[
        "sessions"
    ]
    assert len(listed) == 1


def test_the_smoke_test_fails_where_nothing_listens() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        result = smoke(f"http://127.0.0.1:{sock.getsockname()[1]}")
    assert result.returncode == 1
    assert "Session creation test failed" in result.stderr and "127.0.0.1" in result.stderr


@pytest.fixture
def impostor() -> Iterator[str]:
    """A server that answers every request with 200 and an empty object."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
                )

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}"
    server.shutdown(socket.SHUT_RDWR)
    server.close()


def test_the_smoke_test_fails_on_another_server(impostor: str) -> None:
    result = smoke(impostor)
    assert result.returncode == 1 and "Session creation test failed" in result.stderr


def test_the_smoke_test_explains_itself() -> None:
    result = smoke("--help")
    assert result.returncode == 0 and "scripts/smoke-test URL" in result.stdout
    for arguments in ([], ["a", "b"], ["--nonsense"], ["not a url"]):
        result = smoke(*arguments)
        assert result.returncode == 64 and result.stdout == "" and result.stderr
