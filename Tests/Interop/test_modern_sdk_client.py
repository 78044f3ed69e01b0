"""The official SDK's client in the modern era: what it says in headers is what the gateway checks, and it is told what it understands."""

from __future__ import annotations

from typing import Any

import anyio
import mcp_types as types
import pytest
from clients import Seen, sdk_client
from conformance import MODERN
from gateway import Gateway
from mcp import MCPError
from upstreams import stdio

pytestmark = pytest.mark.binary

SERVERS = {"server": stdio("everything.py", "legacy", isolation="session")}


@pytest.mark.parametrize("mode", ["auto", MODERN])
async def test_parameters_in_headers_are_those_of_the_sdk(gateway: Gateway, mode: str) -> None:
    async with sdk_client(gateway.url, mode=mode) as client:
        assert any(tool.name == "server__routed" for tool in (await client.list_tools()).tools)
        for arguments in (
            {"region": "Zürich", "level": 3, "dry": True, "where": {"zone": " a "}},
            {"region": "=?base64?YQ==?=", "level": 2**53 + 1, "dry": False, "where": {"zone": ""}},
            {"region": "a\r\nMcp-Name: x", "level": -(2**63), "where": None},
        ):
            result = await client.call_tool("server__routed", arguments)
            assert result.structured_content is not None and result.structured_content["arguments"] == arguments


async def test_names_that_no_header_carries_reach_the_gateway(gateway: Gateway) -> None:
    async with sdk_client(gateway.url, mode=MODERN) as client:
        with pytest.raises(MCPError) as refused:
            await client.call_tool("server__größe\n", {})
        assert refused.value.error.code == types.INVALID_PARAMS


async def test_a_call_that_the_client_gives_up_is_cancelled_and_its_connection_is_not_missed(gateway: Gateway) -> None:
    seen: Any = Seen()
    async with sdk_client(gateway.url, seen, mode=MODERN) as client:
        with anyio.move_on_after(0.5) as scope:
            await client.call_tool("server__slow", {"seconds": 60})
        assert scope.cancelled_caught
        result = await client.call_tool("server__add", {"a": 1, "b": 2})
        assert result.structured_content == {"sum": 3}
