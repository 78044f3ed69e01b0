"""The matrix: every kind of client, every kind of server, every feature; and the cells that the specification leaves empty."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from features import FEATURES, Feature
from mcp import MCPError
from peers import KINDS, Kind, Peer

ASKING_THE_USER = {"elicitation by form", "rounds of input", "several inputs at once", "progress around an input"}
BUILT_IN = "environment"
BUILT_IN_TOOL = "get-development-environment-status"


async def discover_built_in(peer: Peer, world: Path) -> None:
    assert peer.client.protocol_version == peer.kind.revision
    assert peer.client.server_capabilities.tools is not None


async def list_built_in(peer: Peer, world: Path) -> None:
    tools = {tool.name: tool for tool in (await peer.client.list_tools()).tools}
    assert tools[BUILT_IN_TOOL].input_schema["type"] == "object"


async def call_built_in(peer: Peer, world: Path) -> None:
    # The SDK's client validates structuredContent against the outputSchema.
    result = await peer.client.call_tool(BUILT_IN_TOOL, {"checkGit": True, "checkDocker": False, "checkDatabase": False})
    assert not result.is_error and result.structured_content and result.content[0].text


async def no_resource_built_in(peer: Peer, world: Path) -> None:
    with pytest.raises(MCPError) as raised:
        await peer.client.read_resource("everything://nothing")
    assert raised.value.error.code == (-32602 if peer.kind.is_modern else -32002)
    assert raised.value.error.data == {"uri": "everything://nothing"}


OF_THE_BUILT_IN: dict[str, Feature] = {
    "discover or initialize": discover_built_in,
    "tools list": list_built_in,
    "tools call": call_built_in,
    "missing resource": no_resource_built_in,
    **{name: FEATURES[name] for name in ("ping", "unknown method", "unknown tool")},
}
"""What the built-in server has; it has no tools of the server that uses everything."""


@dataclass(frozen=True)
class Gap:
    """Cells that cannot work, and where the specification says so. `run` is false where a cell would wait for what never comes."""

    reason: str
    features: frozenset[str]
    revisions: frozenset[str] | None = None
    upstreams: frozenset[str] | None = None
    run: bool = True

    def covers(self, kind: Kind, upstream: str, feature: str) -> bool:
        return (
            feature in self.features
            and (self.revisions is None or kind.revision in self.revisions)
            and (self.upstreams is None or upstream in self.upstreams)
        )


def gap(reason: str, features: Iterable[str], revisions: Iterable[str] = (), upstreams: Iterable[str] = (), run: bool = True) -> Gap:
    return Gap(reason, frozenset(features), frozenset(revisions) or None, frozenset(upstreams) or None, run)


_CHANGES = {"resource updated", "tools changed", "prompts changed", "resources changed"}
GAPS = [
    gap("ping was removed (2026-07-28 changelog; any request tells as much)", {"ping"}, {"2026-07-28"}),
    gap("elicitation came with 2025-06-18 (client/elicitation)", ASKING_THE_USER, {"2024-11-05", "2025-03-26"}),
    gap("tasks came with 2025-11-25 (basic/utilities/tasks)", {"task"}, {"2024-11-05", "2025-03-26", "2025-06-18"}),
    gap(
        "elicitation by a page came with 2025-11-25 (client/elicitation, URL mode)",
        {"elicitation by page"},
        {"2024-11-05", "2025-03-26", "2025-06-18"},
    ),
    gap(
        "elicitation by a page came with 2025-11-25, and a server of 2026-07-28 asks in no other way (client/elicitation, basic/patterns/mrtr)",
        {"a page before the call"},
        {"2024-11-05", "2025-03-26", "2025-06-18"},
        {"modern-stdio", "modern-http"},
    ),
    gap(
        "a server need not offer every capability (basic/lifecycle, server/discover): the built-in one has a tool and nothing else",
        set(FEATURES) - set(OF_THE_BUILT_IN) - _CHANGES,
        upstreams={BUILT_IN},
    ),
    gap("what the built-in server offers never changes", _CHANGES, upstreams={BUILT_IN}, run=False),
]
"""The empty cells. A cell in here that works fails the test: the table tells no more than is true."""


def cells(upstreams: Iterable[str], kinds: Iterable[str] = KINDS) -> list[Any]:
    """A row for each cell; one connection serves the features of a client and a server, which therefore stand together."""
    rows = []
    for upstream in upstreams:
        for name in kinds:
            for feature in FEATURES:
                found = [one for one in GAPS if one.covers(KINDS[name], upstream, feature)]
                marks = [pytest.mark.xfail(reason=found[0].reason, run=found[0].run, strict=True)] if found else []
                rows.append(pytest.param(name, upstream, feature, marks=marks, id=f"{name}-{upstream}-{feature}"))
    return rows


def feature_of(upstream: str, name: str) -> Feature:
    return OF_THE_BUILT_IN.get(name, FEATURES[name]) if upstream == BUILT_IN else FEATURES[name]
