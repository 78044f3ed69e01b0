"""All servers behind one endpoint: names, order, filters, the built-in tool."""

from __future__ import annotations

import time
from typing import Any

import mcp_types as types
import pytest
from clients import all_pages, sdk_client, texts
from gateway import Gateway, everything, raw
from mcp import MCPError
from rawhttp import RawSession, RPCError

SERVERS = {
    "zeta": raw(),
    "everything": everything(isolation="session"),
    "filtered": raw(tools={"allow": ["echo", "count", "pid"], "deny": ["pid"]}),
    "denied": raw(tools={"deny": ["die"]}),
    "disabled": raw(disabled=True),
    "broken": {"command": "/does/not/exist"},
}
BUILT_IN = "get-development-environment-status"


async def tool_names(session: RawSession) -> list[str]:
    names: list[str] = []
    params: dict[str, Any] = {}
    while True:
        result = await session.request("tools/list", params)
        names += [tool["name"] for tool in result["tools"]]
        if "nextCursor" not in result:
            return names
        params = {"cursor": result["nextCursor"]}


async def test_tools_are_named_by_their_server_and_listed_in_the_same_order_every_time(gateway: Gateway) -> None:
    async with RawSession(gateway.url) as one, RawSession(gateway.url) as two:
        await one.initialize()
        await two.initialize()
        names = await tool_names(one)
        assert names == await tool_names(two) == await tool_names(one)
        assert {"zeta__echo", "everything__add", BUILT_IN} <= set(names)
        assert len(set(names)) == len(names)


async def test_allow_and_deny_filter_what_is_listed_and_what_can_be_called(gateway: Gateway) -> None:
    async with RawSession(gateway.url) as session:
        await session.initialize()
        names = await tool_names(session)
        assert {name for name in names if name.startswith("filtered__")} == {"filtered__echo", "filtered__count"}
        assert "denied__die" not in names and "denied__echo" in names
        for hidden in ("filtered__pid", "filtered__progress", "denied__die"):
            with pytest.raises(RPCError) as raised:
                await session.call(hidden)
            assert raised.value.code == -32602
        assert (await session.call("filtered__count"))["structuredContent"]["count"] >= 1
    async with RawSession(gateway.server_url("denied")) as session:
        await session.initialize()
        with pytest.raises(RPCError):
            await session.call("die")


async def test_a_disabled_server_is_not_there(gateway: Gateway) -> None:
    async with RawSession(gateway.url) as session:
        await session.initialize()
        assert not [name for name in await tool_names(session) if name.startswith("disabled__")]


async def test_a_server_that_cannot_start_does_not_hide_the_others_and_says_why(gateway: Gateway) -> None:
    async with RawSession(gateway.url) as session:
        await session.initialize()
        assert "zeta__echo" in await tool_names(session)
        begin = time.monotonic()
        with pytest.raises(RPCError, match="/does/not/exist"):
            await session.call("broken__anything")
        assert time.monotonic() - begin < 10, "the reason is known, so there is nothing to wait for"
    assert "/does/not/exist" in gateway.log()


async def test_prompts_resources_templates_and_completion_work_through_the_merged_endpoint(gateway: Gateway) -> None:
    async with sdk_client(gateway.url) as client:
        prompts = [prompt.name for prompt in await all_pages(client.list_prompts, "prompts")]
        assert "everything__greet" in prompts
        result = await client.get_prompt("everything__greet", {"name": "Bo"})
        assert result.messages[0].content.text == "Hello, Bo"
        resources = [str(resource.uri) for resource in await all_pages(client.list_resources, "resources")]
        assert {"everything://text", "raw://counter"} <= set(resources)
        assert (await client.read_resource("everything://text")).contents[0].text == "text"
        assert (await client.read_resource("everything://item/x")).contents[0].text == "item x"
        assert (await client.read_resource("raw://counter")).contents[0].text.isdigit()
        templates = [one.uri_template for one in await all_pages(client.list_resource_templates, "resource_templates")]
        assert "everything://item/{name}" in templates
        completed = await client.complete(types.PromptReference(name="everything__greet"), {"name": "style", "value": "He"})
        assert completed.completion.values == ["Hello", "Hey"]
        completed = await client.complete(
            types.ResourceTemplateReference(uri="everything://item/{name}"), {"name": "name", "value": "b"}
        )
        assert completed.completion.values == ["banana"]


async def test_the_built_in_tool_tells_the_state_of_the_environment(gateway: Gateway) -> None:
    async with sdk_client(gateway.url) as client:
        tools = {tool.name: tool for tool in await all_pages(client.list_tools, "tools")}
        tool = tools[BUILT_IN]
        assert {"checkDatabase", "checkDocker", "checkGit"} <= tool.input_schema["properties"].keys()
        assert tool.output_schema is not None
        # The SDK validates structuredContent against outputSchema.
        result = await client.call_tool(BUILT_IN, {"checkDatabase": True, "checkDocker": True, "checkGit": True})
        assert not result.is_error and result.structured_content and texts(result)
        only_git = await client.call_tool(BUILT_IN, {"checkDatabase": False, "checkDocker": False, "checkGit": True})
        assert not only_git.is_error


async def test_the_built_in_tool_refuses_wrong_arguments(gateway: Gateway) -> None:
    async with sdk_client(gateway.url) as client:
        try:
            result = await client.call_tool(BUILT_IN, {"checkGit": "perhaps"})
        except MCPError as error:
            assert error.error.code == -32602
        else:
            assert result.is_error


async def test_the_default_mode_of_the_sdk_is_the_modern_era(gateway: Gateway) -> None:
    async with sdk_client(gateway.url, mode="auto") as client:
        assert client.protocol_version == "2026-07-28"
        assert texts(await client.call_tool("zeta__count"))


async def test_an_unknown_cursor_is_an_error(gateway: Gateway) -> None:
    async with RawSession(gateway.url) as session:
        await session.initialize()
        for method in ("tools/list", "prompts/list", "resources/list", "resources/templates/list"):
            with pytest.raises(RPCError) as raised:
                await session.request(method, {"cursor": "no-such-cursor"})
            assert raised.value.code == -32602
