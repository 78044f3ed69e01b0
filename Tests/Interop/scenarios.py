"""The official conformance scenarios for servers that both requirement sets have, with the checks that each makes.

The scenarios are those of modelcontextprotocol/conformance (src/scenarios/server), by their names; the code is our own.
A scenario is a coroutine function that takes a `Subject` and asserts.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, Protocol
from urllib.parse import urlsplit

import anyio
import httpx
from modern import ModernClient
from rawhttp import BOTH, JSON, SSE, RawSession


class Subject(Protocol):
    """A server under test, spoken to in one revision."""

    url: str
    modern: bool

    async def exchange(self, method: str, params: dict[str, Any] | None = None) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The result of a request, and the notifications that came with it; raises `RPCError`."""

    def discovery(self) -> dict[str, Any]:
        """A request that the server answers without anything before it."""

    def prepare(self, message: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        """A message as it is posted, and its headers."""


class Legacy:
    """A session of 2025-11-25."""

    modern = False

    def __init__(self, session: RawSession) -> None:
        self.session = session
        self.url = session.url

    async def exchange(self, method: str, params: dict[str, Any] | None = None) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        response = await self.session.post(self.session.message(method, params))
        result = self.session.answer(response)
        return result, [message for message in self.session.messages(response) if "method" in message]

    def discovery(self) -> dict[str, Any]:
        return self.session.message("initialize", self.session.initialize_params())

    def prepare(self, message: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        return message, {**self.session.headers(), "content-type": JSON}


class Modern:
    """A client of 2026-07-28."""

    modern = True

    def __init__(self, client: ModernClient) -> None:
        self.client = client
        self.url = client.url

    async def exchange(self, method: str, params: dict[str, Any] | None = None) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        reply = await self.client.exchange(method, params)
        return reply.result, reply.notifications

    def discovery(self) -> dict[str, Any]:
        return self.client.message("server/discover")

    def prepare(self, message: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        complete = self.client.message(message["method"], message.get("params"), message["id"])
        return complete, self.client.headers(complete)


Scenario = Callable[[Any], Awaitable[None]]
COMMON: dict[str, Scenario] = {}


def registering(table: dict[str, Scenario]) -> Callable[[str], Callable[[Scenario], Scenario]]:
    """A decorator that puts scenarios into a table under their official names."""

    def scenario(name: str) -> Callable[[Scenario], Scenario]:
        def register(function: Scenario) -> Scenario:
            assert name not in table
            table[name] = function
            return function

        return register

    return scenario


scenario = registering(COMMON)


async def call(subject: Subject, tool: str, **params: Any) -> dict[str, Any]:
    return (await subject.exchange("tools/call", {"name": tool, **params}))[0]


def block(result: dict[str, Any], kind: str) -> dict[str, Any]:
    """The first block of a type."""
    assert isinstance(result["content"], list) and result["content"]
    found = [one for one in result["content"] if one["type"] == kind]
    assert found, f"no {kind}: {result}"
    return found[0]


@scenario("completion-complete")
async def completion_complete(subject: Subject) -> None:
    result, _ = await subject.exchange(
        "completion/complete",
        {"ref": {"type": "ref/prompt", "name": "test_prompt_with_arguments"}, "argument": {"name": "arg1", "value": "test"}},
    )
    assert isinstance(result["completion"]["values"], list)


@scenario("tools-list")
async def tools_list(subject: Subject) -> None:
    result, _ = await subject.exchange("tools/list")
    assert result["tools"]
    for tool in result["tools"]:
        assert tool["name"] and tool["description"] and tool["inputSchema"]
        assert re.fullmatch(r"[A-Za-z0-9_./-]{1,64}", tool["name"]), tool["name"]


@scenario("tools-call-simple-text")
async def tools_call_simple_text(subject: Subject) -> None:
    # Without arguments: the schema asks for none.
    assert block(await call(subject, "test_simple_text"), "text")["text"]


@scenario("tools-call-image")
async def tools_call_image(subject: Subject) -> None:
    image = block(await call(subject, "test_image_content", arguments={}), "image")
    assert image["data"] and image["mimeType"]


@scenario("tools-call-audio")
async def tools_call_audio(subject: Subject) -> None:
    audio = block(await call(subject, "test_audio_content", arguments={}), "audio")
    assert audio["data"] and audio["mimeType"] == "audio/wav"


@scenario("tools-call-embedded-resource")
async def tools_call_embedded_resource(subject: Subject) -> None:
    resource = block(await call(subject, "test_embedded_resource", arguments={}), "resource")["resource"]
    assert resource["uri"] and resource["mimeType"] and (resource.get("text") or resource.get("blob"))


@scenario("tools-call-mixed-content")
async def tools_call_mixed_content(subject: Subject) -> None:
    result = await call(subject, "test_multiple_content_types", arguments={})
    for kind in ("text", "image", "resource"):
        block(result, kind)


@scenario("tools-call-error")
async def tools_call_error(subject: Subject) -> None:
    result = await call(subject, "test_error_handling", arguments={})
    assert result["isError"] is True and result["content"][0]["text"]


@scenario("tools-call-with-progress")
async def tools_call_with_progress(subject: Subject) -> None:
    params = {"name": "test_tool_with_progress", "arguments": {}, "_meta": {"progressToken": "progress-test-1"}}
    _, notifications = await subject.exchange("tools/call", params)
    updates = [one["params"] for one in notifications if one["method"] == "notifications/progress"]
    values = [update["progress"] for update in updates if update["progressToken"] == "progress-test-1"]
    assert len(values) >= 3 and values[:3] == sorted(values[:3])


NOT_SCORED: dict[str, Scenario] = {}
"""What the suite runs beside the requirement sets, because its own reference cannot pass it."""


@registering(NOT_SCORED)("json-schema-2020-12")
async def json_schema_2020_12(subject: Subject) -> None:
    tools: list[dict[str, Any]] = []
    params: dict[str, Any] = {}
    while True:
        result, _ = await subject.exchange("tools/list", params)
        tools += result["tools"]
        if "nextCursor" not in result:
            break
        params = {"cursor": result["nextCursor"]}
    schema = next(tool["inputSchema"] for tool in tools if tool["name"] == "json_schema_2020_12_tool")
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema" and schema["additionalProperties"] is False
    assert schema["$defs"]["address"]["$anchor"] == "addressDef"
    assert schema["properties"]["address"] == {"$ref": "#/$defs/address"}
    assert schema["allOf"][0]["anyOf"] and schema["if"] and schema["then"] and schema["else"]


@scenario("resources-list")
async def resources_list(subject: Subject) -> None:
    result, _ = await subject.exchange("resources/list")
    assert result["resources"] and all(resource["uri"] and resource["name"] for resource in result["resources"])


async def read(subject: Subject, uri: str) -> dict[str, Any]:
    result, _ = await subject.exchange("resources/read", {"uri": uri})
    assert result["contents"][0]["uri"]
    return result["contents"][0]


@scenario("resources-read-text")
async def resources_read_text(subject: Subject) -> None:
    contents = await read(subject, "test://static-text")
    assert contents["mimeType"] and contents["text"]


@scenario("resources-read-binary")
async def resources_read_binary(subject: Subject) -> None:
    contents = await read(subject, "test://static-binary")
    assert contents["mimeType"] and contents["blob"]


@scenario("resources-templates-read")
async def resources_templates_read(subject: Subject) -> None:
    assert "123" in (await read(subject, "test://template/123/data"))["text"]


@scenario("prompts-list")
async def prompts_list(subject: Subject) -> None:
    result, _ = await subject.exchange("prompts/list")
    assert result["prompts"] and all(prompt["name"] and prompt["description"] for prompt in result["prompts"])


async def prompt(subject: Subject, name: str, **arguments: str) -> list[dict[str, Any]]:
    result, _ = await subject.exchange("prompts/get", {"name": name, **({"arguments": arguments} if arguments else {})})
    assert isinstance(result["messages"], list) and result["messages"]
    assert all(message["role"] and message["content"] for message in result["messages"])
    return result["messages"]


@scenario("prompts-get-simple")
async def prompts_get_simple(subject: Subject) -> None:
    await prompt(subject, "test_simple_prompt")


@scenario("prompts-get-with-args")
async def prompts_get_with_args(subject: Subject) -> None:
    messages = str(await prompt(subject, "test_prompt_with_arguments", arg1="testValue1", arg2="testValue2"))
    assert "testValue1" in messages and "testValue2" in messages


@scenario("prompts-get-embedded-resource")
async def prompts_get_embedded_resource(subject: Subject) -> None:
    messages = await prompt(subject, "test_prompt_with_embedded_resource", resourceUri="test://example-resource")
    assert [one for one in messages if one["content"]["type"] == "resource"]


@scenario("prompts-get-with-image")
async def prompts_get_with_image(subject: Subject) -> None:
    content = [message["content"] for message in await prompt(subject, "test_prompt_with_image")]
    assert [one for one in content if one["type"] == "image" and one["data"] and one["mimeType"]]


@scenario("server-sse-multiple-streams")
async def server_sse_multiple_streams(subject: Subject) -> None:
    responses: list[httpx.Response] = []

    async def post(number: int) -> None:
        message, headers = subject.prepare({"jsonrpc": "2.0", "id": 1000 + number, "method": "tools/list", "params": {}})
        async with httpx.AsyncClient() as http:
            responses.append(await http.post(subject.url, json=message, headers=headers | {"accept": f"{SSE}, {JSON}"}))

    async with anyio.create_task_group() as group:
        for number in range(3):
            group.start_soon(post, number)
    assert [response.status_code for response in responses] == [200] * 3
    answers = [message for response in responses for message in RawSession.messages(response)]
    assert sorted(answer["id"] for answer in answers if "result" in answer) == [1000, 1001, 1002]


@scenario("dns-rebinding-protection")
async def dns_rebinding_protection(subject: Subject) -> None:
    message = subject.discovery()
    _, headers = subject.prepare(message)
    headers = {name: value for name, value in headers.items() if name != "mcp-session-id"} | {"accept": BOTH}
    async with httpx.AsyncClient() as http:

        async def status(host: str) -> int:
            named = headers | {"host": host, "origin": f"http://{host}"}
            return (await http.post(subject.url, json=message, headers=named)).status_code

        assert 400 <= await status("evil.example.com") < 500
        assert 200 <= await status(urlsplit(subject.url).netloc) < 300
