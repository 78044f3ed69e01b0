"""The features of the matrix without the gateway: what the SDK's clients and servers of one era have of each other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from features import FEATURES
from gateway import HERE, PYTHON
from mcp import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from peers import KINDS, Peer
from upstreams import http_server

ROUTES = [("http-2025-11-25", "legacy"), ("http-2026-07-28", "modern"), ("stdio-2025-11-25", "legacy"), ("stdio-2026-07-28", "modern")]
# 2026-07-28 has no ping.
NOT_THERE = {"ping": "modern"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        directory = tmp_path_factory.mktemp("world")
        patch.setenv("EVERYTHING_WORLD", str(directory))
        yield directory


@pytest.fixture(scope="module")
def urls(world: Path) -> Iterator[dict[str, str]]:
    with http_server("everything.py", "legacy") as legacy, http_server("everything.py", "modern") as modern:
        yield {"legacy": legacy, "modern": modern}


@pytest.fixture(scope="module")
async def peers(world: Path, urls: dict[str, str]) -> AsyncIterator[dict[str, Peer]]:
    opened: dict[str, Peer] = {}
    yield opened
    for peer in opened.values():
        await peer.close()


@pytest.fixture
async def peer(request: pytest.FixtureRequest, world: Path, urls: dict[str, str], peers: dict[str, Peer], route: Any) -> Peer:
    name, era = route
    if name not in peers:
        server: Any = streamable_http_client(urls[era])
        if name.startswith("stdio"):
            script = str(HERE / "servers/everything.py")
            server = StdioServerParameters(command=PYTHON, args=[script, "--era", era], env={"EVERYTHING_WORLD": str(world)})
        peers[name] = await Peer(KINDS[name]).open(server)
    return peers[name]


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route[0])
async def test_a_feature_works_without_the_gateway(peer: Peer, world: Path, route: Any, feature: str) -> None:
    if NOT_THERE.get(feature) == route[1]:
        with pytest.raises(BaseException):
            await FEATURES[feature](peer, world)
    else:
        await FEATURES[feature](peer, world)
