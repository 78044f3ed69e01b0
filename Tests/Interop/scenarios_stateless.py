"""The conformance scenario `server-stateless` of revision 2026-07-28, one function for each group of its checks."""

from __future__ import annotations

from typing import Any

import anyio
from conformance import META, MODERN
from modern import ModernClient, Reply
from rawhttp import SSE
from scenarios import Modern

VERSION, CAPABILITIES, INFO = f"{META}protocolVersion", f"{META}clientCapabilities", f"{META}clientInfo"
REMOVED = ("initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe")


async def server_stateless(subject: Modern) -> None:
    """All of it. Declares no capability, but where a check says so."""
    async with ModernClient(subject.url, name="conformance-client") as client:
        await meta_is_validated(client)
        discovered = await it_is_discovered(client)
        await versions_are_negotiated(client, discovered["supportedVersions"])
        await capabilities_are_required(client)
        await removed_methods_are_not_found(client)
        await streams_hold_what_belongs_to_them(client)
        await subscriptions_are_acknowledged_tagged_and_filtered(client, discovered["capabilities"])
        await list_changes_reach_listeners(client, discovered["capabilities"])


async def send(client: ModernClient, message: dict[str, Any], **headers: str | None) -> Reply:
    """Posts a message as it is; an error has the request's id."""
    reply = client.reply(await client.post(message, **headers))
    if reply.error is not None:
        assert reply.final["id"] == message["id"], reply.final
    return reply


def request(method: str, params: dict[str, Any], id: int) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


async def meta_is_validated(client: ModernClient) -> None:
    whole = client.meta()
    for number, missing in enumerate((None, VERSION, CAPABILITIES), 101):
        # sep-2575-request-meta-invalid-*, sep-2575-http-server-meta-invalid-400
        params = {} if missing is None else {"_meta": {name: value for name, value in whole.items() if name != missing}}
        reply = await send(client, request("server/discover", params, number))
        assert (reply.status, reply.error and reply.error["code"]) == (400, -32602), (missing, reply)
    # sep-2575-request-meta-client-info-optional
    anonymous = {name: value for name, value in whole.items() if name != INFO}
    reply = await send(client, request("server/discover", {"_meta": anonymous}, 105))
    assert reply.status == 200 and reply.error is None, reply


async def it_is_discovered(client: ModernClient) -> dict[str, Any]:
    result = await client.request("server/discover")
    assert MODERN in result["supportedVersions"] and result["capabilities"] is not None
    info = result["_meta"][f"{META}serverInfo"]
    assert info["name"] and info["version"]
    # Capabilities are those that the server honours.
    for capability, method in (("tools", "tools/list"), ("prompts", "prompts/list")):
        reply = await client.exchange(method)
        if capability in result["capabilities"]:
            assert isinstance(reply.result[capability], list)
        else:
            assert reply.error is not None and reply.error["code"] == -32601
    return result


async def versions_are_negotiated(client: ModernClient, supported: list[str]) -> None:
    unknown = "v999.0.0"
    meta = client.meta(**{VERSION: unknown})
    reply = await send(client, request("server/discover", {"_meta": meta}, 301), mcp_protocol_version=unknown)
    assert (reply.status, reply.error and reply.error["code"]) == (400, -32022), reply
    assert reply.error is not None and reply.error["data"]["requested"] == unknown
    assert reply.error["data"]["supported"] and set(reply.error["data"]["supported"]) <= set(supported)
    reply = await send(client, request("server/discover", {"_meta": meta}, 302))
    assert (reply.status, reply.error and reply.error["code"]) == (400, -32020), reply


async def capabilities_are_required(client: ModernClient) -> None:
    reply = await client.exchange("tools/call", {"name": "test_missing_capability", "arguments": {}})
    assert reply.error is not None and reply.error["code"] == -32021, reply
    # A server that was slow to start has its answer in a stream, whose status stands already.
    assert reply.status == 400 or reply.headers["content-type"].startswith(SSE), reply
    assert isinstance(reply.error["data"]["requiredCapabilities"]["sampling"], dict)


async def removed_methods_are_not_found(client: ModernClient) -> None:
    for method in (*REMOVED, "unknown/method"):
        reply = await client.exchange(method)
        assert (reply.status, reply.error and reply.error["code"]) == (404, -32601), (method, reply)


async def streams_hold_what_belongs_to_them(client: ModernClient) -> None:
    params = {"name": "test_streaming_elicitation", "arguments": {}, "_meta": {CAPABILITIES: {"elicitation": {}}}}
    reply = await client.exchange("tools/call", params)
    # sep-2575-http-server-no-independent-requests-on-stream
    assert reply.error is None and all(one["method"].startswith("notifications/") for one in reply.notifications)
    # sep-2575-server-no-log-without-loglevel
    reply = await client.exchange("tools/call", {"name": "test_logging_tool", "arguments": {}})
    assert reply.error is None and not [one for one in reply.notifications if one["method"] == "notifications/message"]


async def subscriptions_are_acknowledged_tagged_and_filtered(client: ModernClient, capabilities: dict[str, Any]) -> None:
    assert capabilities["tools"]["listChanged"] and capabilities["prompts"]["listChanged"]
    # That the acknowledgement is the first message, `listen` asserts.
    async with client.listen(toolsListChanged=True) as listener:
        await client.call("test_trigger_tool_change")
        change = await listener.next()
        assert change["params"]["_meta"][f"{META}subscriptionId"] == listener.id
    async with client.listen(promptsListChanged=True) as listener:
        await client.call("test_trigger_tool_change")
        with anyio.move_on_after(0.5):
            change = await listener.next()
            assert change["method"] != "notifications/tools/list_changed", change


async def list_changes_reach_listeners(client: ModernClient, capabilities: dict[str, Any]) -> None:
    for kind, tool in (("prompts", "test_trigger_prompt_change"), ("tools", "test_trigger_tool_change")):
        async with client.listen(**{f"{kind}ListChanged": True}) as listener:
            await client.call(tool)
            assert (await listener.next_of(f"notifications/{kind}/list_changed"))["params"]["_meta"]


