"""Where the matrix is played: the world, the servers over HTTP, the connected clients. Fixtures, for the modules that import them."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from conformance import META, MODERN, meta_of
from conformance_upstream import UpstreamConversation
from conftest import check_conformance
from gateway import HERE, PYTHON, Gateway
from modern import NAMED, header_value
from peers import KINDS, Peer, address, recorded
from recorder import Recorder
from upstreams import http_server

SCRIPT = "everything.py"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory that the servers watch (`everything_world`)."""
    with pytest.MonkeyPatch.context() as patch:
        directory = tmp_path_factory.mktemp("world")
        patch.setenv("EVERYTHING_WORLD", str(directory))
        yield directory


@pytest.fixture(scope="module")
def wires(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where everything that passes over stdio is written down."""
    return tmp_path_factory.mktemp("wires")


@pytest.fixture(scope="module")
def remote(world: Path) -> Iterator[dict[str, Recorder]]:
    """The servers over HTTP, each behind a proxy that records what the gateway sends."""
    with http_server(SCRIPT, "legacy") as legacy, http_server(SCRIPT, "modern") as modern:
        proxies = {f"{era}-http": Recorder(urlsplit(url).port or 0) for era, url in (("legacy", legacy), ("modern", modern))}
        yield proxies
        for proxy in proxies.values():
            proxy.close()


def stdio_servers(world: Path, wires: Path) -> dict[str, Any]:
    """The configuration of the servers on stdio, whose wires are written down."""
    tee = ["-S", "-E", str(HERE / "servers/tee.py")]
    servers = {}
    for era in ("legacy", "modern"):
        directory = wires / f"{era}-stdio"
        directory.mkdir(exist_ok=True)
        servers[f"{era}-stdio"] = {
            "command": PYTHON,
            "args": [*tee, str(directory), sys.executable, str(HERE / "servers" / SCRIPT), "--era", era],
            "env": {"EVERYTHING_WORLD": str(world)},
            "isolation": "session",
        }
    return servers


def http_servers(remote: dict[str, Recorder]) -> dict[str, Any]:
    return {name: {"url": f"http://127.0.0.1:{proxy.port}/mcp", "isolation": "session"} for name, proxy in remote.items()}


@pytest.fixture(scope="module")
async def peers(gateway: Gateway) -> AsyncIterator[dict[tuple[str, str], Any]]:
    """The connected clients, by kind and server; what could not connect is an exception. Closed with the module."""
    opened: dict[tuple[str, str], Any] = {}
    yield opened
    for peer in opened.values():
        if isinstance(peer, Peer):
            await peer.close()


@pytest.fixture(scope="module")
def found_in_gaps() -> list[str]:
    """What was wrong with messages of cells that must fail: there the check after the test would only be one more reason to."""
    return []


@pytest.fixture
async def peer(
    request: pytest.FixtureRequest,
    gateway: Gateway,
    peers: dict[tuple[str, str], Any],
    wires: Path,
    kind: str,
    upstream: str,
    found_in_gaps: list[str],
) -> AsyncIterator[Peer]:
    key = (kind, upstream)
    if key not in peers:
        server, prefix, wire = address(KINDS[kind], gateway, upstream, wires)
        peer = Peer(KINDS[kind], prefix=prefix, wire=wire)
        try:
            peers[key] = await peer.open(server)
        except BaseException as error:
            # One attempt for all the features: a client that cannot connect need not wait for each.
            await peer.close()
            peers[key] = error
    if not isinstance(peers[key], Peer):
        pytest.fail(f"{kind} cannot connect to {upstream}: {peers[key]!r}", pytrace=False)
    yield peers[key]
    if request.node.get_closest_marker("xfail") is not None:
        found_in_gaps += [f"{request.node.name}: {violation}" for violation in gateway.recorder.violations()]
    else:
        check_conformance([gateway])


# What was sent to the servers.


def sent_over_stdio(wires: Path, server: str) -> list[UpstreamConversation]:
    found = []
    for messages in recorded(wires / server):
        conversation = UpstreamConversation()
        for side, message in messages:
            (conversation.gateway_sent if side == "gateway" else conversation.server_sent)(message)
        found.append(conversation)
    return found


def sent_over_http(proxy: Recorder) -> list[UpstreamConversation]:
    """One conversation for each session, and one for each request that belongs to none."""
    conversations: dict[str, UpstreamConversation] = {}
    rows = []
    for number, record in enumerate(proxy.records):
        heads = [head.headers for head in (record.request, record.response) if head is not None]
        session = next((head["mcp-session-id"] for head in heads if "mcp-session-id" in head), f"none-{number}")
        conversation = conversations.setdefault(session, UpstreamConversation())
        texts = [data for _, data in record.events if data] or [record.response_body.decode("utf-8", "replace")]
        for text in texts:
            if text.startswith("{"):
                conversation.server_sent(json.loads(text))
        if record.request_body:
            rows.append((conversation, record.request.headers, json.loads(record.request_body)))
    # The server's requests first: what answers them may come on another connection.
    for conversation, headers, message in rows:
        conversation.gateway_sent(message)
        if f"{META}protocolVersion" in meta_of(message):
            conversation.violations += header_violations(headers, message)
    return list(conversations.values())


def header_violations(headers: dict[str, str], message: dict[str, Any]) -> list[str]:
    """The headers that a request of 2026-07-28 must have, by its body (basic/transports/streamable-http, Request Metadata)."""
    expected = {"mcp-protocol-version": MODERN, "mcp-method": message["method"]}
    name = message["params"].get(NAMED.get(message["method"], ""))
    if isinstance(name, str):
        expected["mcp-name"] = header_value(name)
    wrong = {key: headers.get(key) for key, value in expected.items() if headers.get(key) != value}
    found = [f"to a server: headers {wrong}, not {expected}\n    {json.dumps(message)[:300]}"] if wrong else []
    if "mcp-session-id" in headers:
        found.append(f"to a server: a session of {MODERN}")
    return found
