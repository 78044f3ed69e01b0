"""The features that fastmcp's client has, in front of the server that uses everything."""

from __future__ import annotations

from typing import Any

import anyio
import fastmcp.exceptions
import mcp_types as types
import pytest
from clients import ROOTS, Seen, fastmcp_client
from gateway import Gateway, everything

SERVERS = {"everything": everything(isolation="session")}


async def test_tools_with_data_progress_and_failure(gateway: Gateway) -> None:
    seen = Seen()
    async with fastmcp_client(gateway.url, seen) as client:
        assert (await client.call_tool("everything__add", {"a": 2, "b": 3})).data.sum == 5
        await client.call_tool("everything__progress", {"steps": 4})
        assert [step for step, _, _ in seen.progress] == [1, 2, 3, 4]
        content = (await client.call_tool("everything__every-content")).content
        assert [block.type for block in content] == ["text", "image", "audio", "resource_link", "resource", "resource"]
        with pytest.raises(fastmcp.exceptions.ToolError, match="it failed"):
            await client.call_tool("everything__fail")


async def test_sampling_elicitation_and_roots(gateway: Gateway) -> None:
    seen = Seen()
    async with fastmcp_client(gateway.url, seen) as client:
        assert (await client.call_tool("everything__ask-model", {"prompt": "why"})).content[0].text == "answer to why"
        asked = await client.call_tool("everything__ask-user")
        assert asked.structured_content == {"action": "accept", "content": {"name": "Ann"}}
        roots = (await client.call_tool("everything__list-roots")).content
        assert [block.text for block in roots] == [str(root.uri) for root in ROOTS]


async def test_prompts_resources_completion_and_logging(gateway: Gateway) -> None:
    seen = Seen()
    async with fastmcp_client(gateway.url, seen) as client:
        assert "everything__greet" in {prompt.name for prompt in await client.list_prompts()}
        prompt = await client.get_prompt("everything__greet", {"name": "Bo"})
        assert prompt.messages[0].content.text == "Hello, Bo"
        assert "everything://blob" in {str(resource.uri) for resource in await client.list_resources()}
        assert (await client.read_resource("everything://text"))[0].text == "text"
        completion = await client.complete(types.PromptReference(name="everything__greet"), {"name": "style", "value": "G"})
        assert completion.values == ["Good morning"]
        await client.set_logging_level("alert")
        await client.call_tool("everything__log")
        with anyio.fail_after(10):
            while len(seen.logs) < 2:
                await anyio.sleep(0.02)
        assert [log.level for log in seen.logs] == ["alert", "emergency"]


async def test_the_default_mode_is_the_modern_era(gateway: Gateway) -> None:
    async with fastmcp_client(gateway.url, mode="auto") as client:
        assert client.protocol_version == "2026-07-28"
        assert await client.list_tools()


async def test_many_clients_at_once(gateway: Gateway) -> None:
    results: list[Any] = []

    async def one(number: int) -> None:
        async with fastmcp_client(gateway.url) as client:
            for call in range(5):
                results.append((await client.call_tool("everything__add", {"a": number, "b": call})).data.sum == number + call)

    async with anyio.create_task_group() as group:
        for number in range(6):
            group.start_soon(one, number)
    assert len(results) == 30 and all(results)
