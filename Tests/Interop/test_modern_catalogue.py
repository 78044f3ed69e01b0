"""Servers of both eras behind one endpoint, for clients of both eras."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clients import Seen, sdk_client, texts
from features import happens
from gateway import Gateway
from modern import ALL_CAPABILITIES, ModernClient, answers, header_value
from rawhttp import RPCError
from upstreams import stdio

pytestmark = pytest.mark.binary
ERAS = ["legacy", "modern"]
BUILT_IN = "get-development-environment-status"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield tmp_path_factory.mktemp("world")


def SERVERS(request: pytest.FixtureRequest) -> dict[str, Any]:
    env = {"EVERYTHING_WORLD": str(request.getfixturevalue("world"))}
    own = {era: stdio("everything.py", era, isolation="session", env=env) for era in ERAS}
    return own | {"common": stdio("everything.py", "legacy", isolation="shared", env=env)}


def client(gateway: Gateway) -> ModernClient:
    return ModernClient(gateway.url, ALL_CAPABILITIES)


async def test_the_lists_hold_what_the_servers_of_both_eras_offer(gateway: Gateway) -> None:
    async with client(gateway) as one:
        tools = [tool["name"] for tool in await one.list_all("tools/list", "tools")]
        prompts = [prompt["name"] for prompt in await one.list_all("prompts/list", "prompts")]
        assert {"legacy__add", "modern__add", "common__add", BUILT_IN} <= set(tools) and len(set(tools)) == len(tools)
        assert {"legacy__greet", "modern__greet"} <= set(prompts)
        discovered = await one.request("server/discover")
        assert "Use everything." in discovered["instructions"]


@pytest.mark.parametrize("era", ERAS)
async def test_names_have_their_prefix_in_headers_too(gateway: Gateway, era: str) -> None:
    async with client(gateway) as one:
        params = {"name": f"{era}__add", "arguments": {"a": 1, "b": 2}}
        assert (await one.request("tools/call", params))["structuredContent"] == {"sum": 3}
        reply = await one.exchange("tools/call", params, mcp_name="add")
        assert reply.status == 400 and reply.error is not None and reply.error["code"] == -32020
        prompt = await one.request("prompts/get", {"name": f"{era}__greet", "arguments": {"name": "Ann"}})
        assert prompt["messages"][0]["content"]["text"] == "Hello, Ann"


@pytest.mark.parametrize("era", ERAS)
async def test_parameters_in_headers_are_checked_by_the_tool_behind_the_prefix(gateway: Gateway, era: str) -> None:
    async with client(gateway) as one:
        params = {"name": f"{era}__routed", "arguments": {"region": "Zürich"}}
        result = await one.request("tools/call", params, mcp_param_region=header_value("Zürich"))
        assert result["structuredContent"]["arguments"] == {"region": "Zürich"}
        for value in (None, "Bern"):
            reply = await one.exchange("tools/call", params, mcp_param_region=value)
            assert reply.status == 400 and reply.error is not None and reply.error["code"] == -32020


@pytest.mark.parametrize("era", ERAS)
async def test_servers_of_both_eras_ask_for_input(gateway: Gateway, era: str) -> None:
    async with client(gateway) as one:
        result = await one.complete("tools/call", {"name": f"{era}__ask-in-rounds", "arguments": {}})
        assert [block["text"] for block in result["content"]] == ["Ann", "answer to A poem about Ann", "accept"]
        assert len(one.rounds) == 3
    seen = Seen()
    async with sdk_client(gateway.url, seen) as old:
        assert texts(await old.call_tool(f"{era}__ask-in-rounds")) == ["Ann", "answer to A poem about Ann", "accept"]


async def test_the_state_of_one_server_is_not_taken_by_another(gateway: Gateway) -> None:
    async with client(gateway) as one:
        for mine, other in (("legacy", "modern"), ("modern", "legacy")):
            params = {"name": f"{mine}__ask-user", "arguments": {}}
            retry = ModernClient.retry(params, await one.request("tools/call", params), answers())
            with pytest.raises(RPCError) as raised:
                await one.request("tools/call", retry | {"name": f"{other}__ask-user"})
            assert raised.value.code == -32602
            assert (await one.request("tools/call", retry))["structuredContent"]["action"] == "accept"


async def test_a_server_that_sessions_share_cannot_ask_and_says_so(gateway: Gateway) -> None:
    async with client(gateway) as one:
        reply = await one.exchange("tools/call", {"name": "common__ask-user", "arguments": {}})
        assert reply.error is not None or reply.result.get("isError")
        assert (await one.call("common__add", {"a": 1, "b": 1}))["structuredContent"] == {"sum": 2}


async def test_a_listener_hears_of_the_servers_of_both_eras(gateway: Gateway, world: Path) -> None:
    async with client(gateway) as one:
        await one.list_all("tools/list", "tools")
        async with one.listen(toolsListChanged=True) as listener:
            happens(world, tool="grown-for-all")
            await listener.next_of("notifications/tools/list_changed")
            wanted = {f"{server}__grown-for-all" for server in (*ERAS, "common")}
            # Each server tells of it in its own time.
            while not wanted <= {tool["name"] for tool in await one.list_all("tools/list", "tools")}:
                await listener.next_of("notifications/tools/list_changed")


async def test_clients_of_both_eras_see_the_same(gateway: Gateway) -> None:
    async with sdk_client(gateway.url) as old, sdk_client(gateway.url, mode="auto") as new:
        assert (old.protocol_version, new.protocol_version) == ("2025-11-25", "2026-07-28")
        for tool, arguments in (("add", {"a": 1, "b": 2}), ("every-content", {}), ("fail", {})):
            for server in (*ERAS, "common"):
                one, other = [await client.call_tool(f"{server}__{tool}", arguments) for client in (old, new)]
                assert (one.content, one.structured_content, one.is_error) == (
                    other.content, other.structured_content, other.is_error,
                )  # fmt: skip
