"""Everything of the protocol, both ways, with the official SDK's client: in front of a stdio server with a process per session, one
that the sessions share, and one over HTTP."""

from __future__ import annotations

from typing import Any

import anyio
import mcp_types as types
import pytest
from clients import ROOTS, AnyParams, AnyResult, Seen, all_pages, sdk_client, texts
from gateway import HERE, PYTHON, Gateway, everything
from mcp import MCPError
from rawhttp import RawSession
from stdio_peer import stdio_peer


def SERVERS(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {
        "session": everything(isolation="session"),
        "shared": everything(isolation="shared"),
        "remote": {"url": request.getfixturevalue("remote_server"), "isolation": "session"},
    }


# Only an upstream of its own may be asked on a client's behalf (DESIGN, decision 6).
EVERY = ["session", "shared", "remote"]
OWN = ["session", "remote"]


@pytest.fixture
def url(request: pytest.FixtureRequest, gateway: Gateway, upstream: str) -> str:
    return gateway.server_url(upstream)


def every_upstream(test: Any) -> Any:
    return pytest.mark.parametrize("upstream", EVERY)(test)


def own_upstream(test: Any) -> Any:
    return pytest.mark.parametrize("upstream", OWN)(test)


@pytest.fixture(scope="module")
async def truth() -> dict[str, Any]:
    """What the server says when nothing is between."""
    async with stdio_peer([PYTHON, str(HERE / "servers/everything.py")]) as peer:
        await peer.initialize()
        return {
            "tools": await peer.list_all("tools/list", "tools"),
            "prompts": await peer.list_all("prompts/list", "prompts"),
            "resources": await peer.list_all("resources/list", "resources"),
            "resourceTemplates": await peer.list_all("resources/templates/list", "resourceTemplates"),
            "every-content": await peer.call("every-content"),
            "add": await peer.call("add", {"a": 1, "b": 2}),
            "rich": await peer.request("prompts/get", {"name": "rich"}),
            "text": await peer.request("resources/read", {"uri": "everything://text"}),
        }


# Lists.


@pytest.mark.parametrize("upstream", EVERY)
@pytest.mark.parametrize(
    ("method", "key", "identity"),
    [
        ("tools/list", "tools", "name"),
        ("prompts/list", "prompts", "name"),
        ("resources/list", "resources", "uri"),
        ("resources/templates/list", "resourceTemplates", "uriTemplate"),
    ],
)
async def test_lists_have_every_entry_of_every_page_unchanged(
    url: str, truth: dict[str, Any], upstream: str, method: str, key: str, identity: str
) -> None:
    async with RawSession(url) as session:
        await session.initialize()
        found: list[dict[str, Any]] = []
        params: dict[str, Any] = {}
        while True:
            result = await session.request(method, params)
            found += result[key]
            if "nextCursor" not in result:
                break
            params = {"cursor": result["nextCursor"]}
    # Other tests may have grown the lists of a server that is shared.
    known = {entry[identity] for entry in truth[key]}
    ours = [entry for entry in found if entry[identity] in known]
    assert sorted(ours, key=lambda entry: entry[identity]) == sorted(truth[key], key=lambda entry: entry[identity])
    assert len({entry[identity] for entry in found}) == len(found)


@every_upstream
async def test_the_handshake_names_a_server_and_its_capabilities(url: str, upstream: str) -> None:
    async with sdk_client(url) as client:
        assert client.protocol_version == "2025-11-25"
        assert client.server_info is not None and client.server_info.name
        capabilities = client.server_capabilities
        assert capabilities.tools is not None and capabilities.tools.list_changed
        assert capabilities.prompts is not None and capabilities.prompts.list_changed
        assert capabilities.resources is not None and capabilities.resources.subscribe and capabilities.resources.list_changed
        assert capabilities.logging is not None and capabilities.completions is not None


@every_upstream
async def test_ping_is_answered(url: str, upstream: str) -> None:
    async with sdk_client(url) as client:
        assert await client.send_ping() is not None


# Tools.


@every_upstream
async def test_every_type_of_content_passes_unchanged(url: str, truth: dict[str, Any], upstream: str) -> None:
    async with RawSession(url) as session:
        await session.initialize()
        assert await session.call("every-content") == truth["every-content"]
    async with sdk_client(url) as client:
        result = await client.call_tool("every-content")
        assert [block.type for block in result.content] == ["text", "image", "audio", "resource_link", "resource", "resource"]


@every_upstream
async def test_structured_content_and_meta_pass(url: str, truth: dict[str, Any], upstream: str) -> None:
    async with sdk_client(url) as client:
        # The SDK validates structuredContent against the outputSchema that it lists by itself.
        result = await client.call_tool("add", {"a": 1, "b": 2})
        assert result.structured_content == {"sum": 3} and result.meta == {"example.org/cost": 1}
        seen = await client.call_tool("memory", {}, meta={"example.org/trace": {"id": "x"}})
        assert seen.structured_content["meta"]["example.org/trace"] == {"id": "x"}


@every_upstream
async def test_a_failing_tool_answers_with_is_error(url: str, upstream: str) -> None:
    async with sdk_client(url) as client:
        result = await client.call_tool("fail")
        assert result.is_error and texts(result) == ["it failed"]


@every_upstream
async def test_a_protocol_error_keeps_code_message_and_data(url: str, upstream: str) -> None:
    async with sdk_client(url) as client:
        with pytest.raises(MCPError) as raised:
            await client.call_tool("protocol-error")
        assert raised.value.error == types.ErrorData(code=-32050, message="a protocol error", data={"why": ["because", 1]})


@every_upstream
async def test_the_demand_for_an_elicitation_by_url_passes(url: str, upstream: str) -> None:
    async with sdk_client(url) as client:
        with pytest.raises(MCPError) as raised:
            await client.call_tool("need-url")
        assert raised.value.error.code == -32042
        assert raised.value.error.data["elicitations"][0]["elicitationId"] == "e-2"


@every_upstream
async def test_an_unknown_tool_is_an_error(url: str, upstream: str) -> None:
    async with sdk_client(url) as client:
        with pytest.raises(MCPError) as raised:
            await client.call_tool("no-such-tool")
        assert raised.value.error.code == -32602


@every_upstream
async def test_a_payload_of_megabytes_passes_both_ways(url: str, upstream: str) -> None:
    # By hand: the SDK's client takes no event of more than 1 MiB.
    async with RawSession(url) as session:
        await session.initialize()
        big = await session.call("big", {"size": 3_000_000})
        assert big["content"][0]["text"] == "x" * 3_000_000
        arguments = {"text": "é\u2028🎉" * 200_000}
        assert (await session.call("echo", arguments))["structuredContent"] == arguments


# Progress and cancellation.


@every_upstream
async def test_progress_comes_in_order_before_the_result(url: str, upstream: str) -> None:
    seen = Seen()
    async with sdk_client(url) as client:
        result = await client.call_tool("progress", {"steps": 5, "delay": 0.01}, progress_callback=seen.on_progress)
        assert texts(result) == ["5 steps"]
        assert seen.progress == [(step, 5, f"step {step}") for step in range(1, 6)]


@every_upstream
async def test_concurrent_calls_keep_their_progress_and_results_apart(url: str, upstream: str) -> None:
    results: dict[int, Any] = {}
    progress: dict[int, list[float]] = {}

    async with sdk_client(url) as client:

        async def one(steps: int) -> None:
            progress[steps] = []

            async def on_progress(value: float, total: float | None, message: str | None) -> None:
                assert total == steps
                progress[steps].append(value)

            results[steps] = await client.call_tool("progress", {"steps": steps, "delay": 0.02}, progress_callback=on_progress)

        async with anyio.create_task_group() as group:
            for steps in range(3, 9):
                group.start_soon(one, steps)
    assert {steps: texts(result) for steps, result in results.items()} == {steps: [f"{steps} steps"] for steps in range(3, 9)}
    assert progress == {steps: list(range(1, steps + 1)) for steps in range(3, 9)}


@every_upstream
async def test_a_cancelled_call_is_cancelled_in_the_server(url: str, upstream: str) -> None:
    marker = f"cancelled-{upstream}"
    async with sdk_client(url) as client:
        await client.call_tool("count")
        # The SDK sends notifications/cancelled when its scope is cancelled.
        with anyio.move_on_after(1):
            await client.call_tool("slow", {"seconds": 60, "marker": marker})
        with anyio.fail_after(10):
            while marker not in (await client.call_tool("memory")).structured_content["cancelled"]:
                await anyio.sleep(0.05)


@every_upstream
async def test_a_slow_call_does_not_hold_up_others(url: str, upstream: str) -> None:
    async with sdk_client(url) as client:
        await client.call_tool("count")
        order: list[str] = []

        async def call(tool: str, arguments: dict[str, Any]) -> None:
            await client.call_tool(tool, arguments)
            order.append(tool)

        async with anyio.create_task_group() as group:
            group.start_soon(call, "slow", {"seconds": 1.5})
            await anyio.sleep(0.1)
            group.start_soon(call, "count", {})
        assert order == ["count", "slow"]


# Logging.


@every_upstream
async def test_log_messages_come_and_set_level_is_obeyed(url: str, upstream: str) -> None:
    seen = Seen()
    async with sdk_client(url, seen) as client:
        await client.set_logging_level("error")
        await client.call_tool("log", {"marker": upstream})
        expected = ["error", "critical", "alert", "emergency"]
        with anyio.fail_after(10):
            while len(seen.logs) < len(expected):
                await anyio.sleep(0.02)
        assert [log.level for log in seen.logs] == expected
        assert seen.logs[0].logger == "everything" and seen.logs[0].data == {"level": "error", "marker": upstream}


# Prompts and completion.


@every_upstream
async def test_prompts_take_arguments_and_give_every_type_of_content(url: str, truth: dict[str, Any], upstream: str) -> None:
    async with sdk_client(url) as client:
        result = await client.get_prompt("greet", {"name": "Bo", "style": "Hey"})
        assert result.messages[0].content == types.TextContent(text="Hey, Bo")
        with pytest.raises(MCPError):
            await client.get_prompt("greet", {})
        with pytest.raises(MCPError):
            await client.get_prompt("no-such-prompt")
    async with RawSession(url) as session:
        await session.initialize()
        assert await session.request("prompts/get", {"name": "rich"}) == truth["rich"]


@every_upstream
async def test_completion_works_for_prompts_and_templates(url: str, upstream: str) -> None:
    async with sdk_client(url) as client:
        argument = {"name": "style", "value": "He"}
        result = await client.complete(types.PromptReference(name="greet"), argument, {"name": "Bo"})
        assert result.completion.values == ["Hello, Bo", "Hey, Bo"]
        template = types.ResourceTemplateReference(uri="everything://item/{name}")
        result = await client.complete(template, {"name": "name", "value": "ap"})
        assert result.completion.values == ["apple", "apricot"] and result.completion.has_more is False


# Resources.


@every_upstream
async def test_resources_are_read_as_text_as_blob_and_by_template(url: str, truth: dict[str, Any], upstream: str) -> None:
    async with RawSession(url) as session:
        await session.initialize()
        assert await session.request("resources/read", {"uri": "everything://text"}) == truth["text"]
    async with sdk_client(url) as client:
        blob = await client.read_resource("everything://blob")
        assert blob.contents[0].blob == "AAECAwQ="
        item = await client.read_resource("everything://item/%C3%A9")
        assert item.contents[0].text == "item %C3%A9"
        with pytest.raises(MCPError):
            await client.read_resource("everything://no-such-resource")


@every_upstream
async def test_a_subscriber_hears_of_updates_until_it_unsubscribes(url: str, upstream: str) -> None:
    seen, other = Seen(), Seen()
    uri = "everything://counter"
    async with sdk_client(url, seen) as client, sdk_client(url, other):
        await client.subscribe_resource(uri)
        await client.call_tool("touch")
        updates = await seen.wait_for(types.ResourceUpdatedNotification)
        assert [str(update.params.uri) for update in updates] == [uri]
        await client.unsubscribe_resource(uri)
        await client.call_tool("touch")
        # A round trip on the same path shows that nothing more was coming.
        await client.call_tool("grow", {"kind": "prompt", "name": f"marker-{upstream}"})
        await seen.wait_for(types.PromptListChangedNotification)
        assert len([n for n in seen.notifications if isinstance(n, types.ResourceUpdatedNotification)]) == 1
    assert not [n for n in other.notifications if isinstance(n, types.ResourceUpdatedNotification)]


# list_changed.


@every_upstream
async def test_changes_of_every_list_are_told_and_can_be_seen(url: str, upstream: str) -> None:
    seen = Seen()
    name = f"new-{upstream}"
    async with sdk_client(url, seen) as client:
        await client.call_tool("grow", {"kind": "tool", "name": name})
        await seen.wait_for(types.ToolListChangedNotification)
        assert name in [tool.name for tool in await all_pages(client.list_tools, "tools")]
        assert (await client.call_tool(name, {"text": "grown"})).content[0].text == "grown"
        await client.call_tool("grow", {"kind": "prompt", "name": name})
        await seen.wait_for(types.PromptListChangedNotification)
        assert name in [prompt.name for prompt in await all_pages(client.list_prompts, "prompts")]
        await client.call_tool("grow", {"kind": "resource", "name": name})
        await seen.wait_for(types.ResourceListChangedNotification)
        assert name in [resource.name for resource in await all_pages(client.list_resources, "resources")]
        assert (await client.read_resource(f"everything://{name}")).contents[0].text == f"everything://{name}"
        await client.call_tool("shrink", {"name": name})
        await seen.wait_for(types.ToolListChangedNotification, 2)
        assert name not in [tool.name for tool in await all_pages(client.list_tools, "tools")]


# What a server asks its client.


@own_upstream
async def test_a_server_may_sample(url: str, upstream: str) -> None:
    seen = Seen()
    async with sdk_client(url, seen) as client:
        result = await client.call_tool("ask-model", {"prompt": "the question"})
        assert texts(result) == ["answer to the question"]
        assert result.structured_content == {"model": "test-model", "role": "assistant"}
    asked = seen.sampling[0]
    assert asked.max_tokens == 100 and asked.system_prompt == "Be brief." and asked.stop_sequences == ["END"]
    assert asked.temperature == 0.5 and asked.model_preferences.hints[0].name == "small"


@own_upstream
async def test_a_server_may_elicit_by_form_and_by_url(url: str, upstream: str) -> None:
    seen = Seen()
    async with sdk_client(url, seen) as client:
        result = await client.call_tool("ask-user")
        assert result.structured_content == {"action": "accept", "content": {"name": "Ann", "age": 42, "agree": True}}
        assert texts(await client.call_tool("ask-user-url", {"id": "e-9"})) == ["accept"]
        await seen.wait_for(types.ElicitCompleteNotification)
    form, by_url = seen.elicitations
    assert form.requested_schema["properties"]["colour"] == {"type": "string", "enum": ["red", "green"]}
    assert by_url.url == "https://example.org/sign-in" and by_url.elicitation_id == "e-9"


@own_upstream
async def test_a_server_may_list_roots_and_hears_of_their_change(url: str, upstream: str) -> None:
    seen = Seen()
    async with sdk_client(url, seen) as client:
        assert texts(await client.call_tool("list-roots")) == [str(root.uri) for root in ROOTS]
        before = (await client.call_tool("memory")).structured_content["rootsChanged"]
        await client.send_roots_list_changed()
        with anyio.fail_after(10):
            while (await client.call_tool("memory")).structured_content["rootsChanged"] == before:
                await anyio.sleep(0.02)


@own_upstream
async def test_a_server_may_ping_its_client(url: str, upstream: str) -> None:
    async with sdk_client(url, Seen()) as client:
        assert texts(await client.call_tool("ping-client")) == ["pong"]


@own_upstream
async def test_a_server_of_its_own_knows_what_the_client_can(url: str, upstream: str) -> None:
    async with sdk_client(url, Seen()) as able, sdk_client(url) as plain:
        of_able = (await able.call_tool("memory")).structured_content["client"]["capabilities"]
        of_plain = (await plain.call_tool("memory")).structured_content["client"]["capabilities"]
    assert {"sampling", "elicitation", "roots"} <= of_able.keys()
    assert not {"sampling", "elicitation", "roots"} & of_plain.keys()


@pytest.mark.parametrize("upstream", ["shared"])
async def test_a_shared_server_cannot_ask_a_client(url: str, upstream: str) -> None:
    seen = Seen()
    async with sdk_client(url, seen) as client:
        memory = (await client.call_tool("memory")).structured_content["client"]["capabilities"]
        assert not {"sampling", "elicitation", "roots"} & memory.keys()
        for tool in ("ask-model", "ask-user", "list-roots"):
            with anyio.fail_after(10):
                with pytest.raises(MCPError):
                    await client.call_tool(tool)
    assert seen.sampling == [] and seen.elicitations == []


# What nobody specified.


@every_upstream
async def test_methods_that_the_gateway_does_not_know_pass(url: str, upstream: str) -> None:
    async with sdk_client(url) as client:
        result = await client.session.send_request(
            types.Request[Any, Any](method="x/custom", params=AnyParams(payload={"deep": [1, None]})), AnyResult
        )
        assert result.model_extra == {"custom": {"payload": {"deep": [1, None]}}, "x-known": True}
        with pytest.raises(MCPError) as raised:
            await client.session.send_request(types.Request[Any, Any](method="x/unknown", params=AnyParams()), AnyResult)
        assert raised.value.error.code == -32601


@every_upstream
async def test_notifications_that_the_gateway_does_not_know_pass_both_ways(gateway: Gateway, url: str, upstream: str) -> None:
    async with RawSession(url) as session:
        await session.initialize()
        # Before the answer on the stream of the call, or on the session's own: both are right.
        async with session.get_stream():
            await session.call("notify-custom", {"colour": upstream})
            with anyio.fail_after(10):
                while not (sent := gateway.recorder.sent_to(session.session_id, "notifications/x/custom")):
                    await anyio.sleep(0.02)
            assert [message["params"] for message in sent] == [{"payload": {"colour": upstream}}]
        await session.notify("notifications/x/note", {"said": upstream})
        with anyio.fail_after(10):
            while {"said": upstream} not in (await session.call("memory"))["structuredContent"]["notes"]:
                await anyio.sleep(0.02)


def test_the_recorder_saw_all_of_this(gateway: Gateway) -> None:
    assert gateway.recorder.messages > 100
