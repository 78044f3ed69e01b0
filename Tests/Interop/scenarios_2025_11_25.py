"""The conformance scenarios for servers that belong to the handshake: those of revision 2025-11-25 that 2026-07-28 took away."""

from __future__ import annotations

import re
from typing import Any

import mcp_types as types
from clients import Seen, sdk_client
from conformance_inputs import DEFAULTS
from rawhttp import RawSession
from scenarios import COMMON, Legacy, Scenario, registering

REQUIRED = """
server-initialize logging-set-level ping completion-complete tools-list tools-call-simple-text tools-call-image tools-call-audio
tools-call-embedded-resource tools-call-mixed-content tools-call-with-logging tools-call-error tools-call-with-progress
tools-call-sampling tools-call-elicitation elicitation-sep1034-defaults server-sse-multiple-streams elicitation-sep1330-enums
resources-list resources-read-text resources-read-binary resources-templates-read resources-subscribe resources-unsubscribe
prompts-list prompts-get-simple prompts-get-with-args prompts-get-embedded-resource prompts-get-with-image
dns-rebinding-protection
""".split()
"""What `requirements/2025-11-25.yaml` asks of a server."""

SCENARIOS: dict[str, Scenario] = dict(COMMON)
scenario = registering(SCENARIOS)


@scenario("server-initialize")
async def server_initialize(subject: Legacy) -> None:
    async with sdk_client(subject.url) as client:
        assert client.protocol_version == "2025-11-25" and client.server_info is not None
    async with RawSession(subject.url) as session:
        response = await session.post(session.message("initialize", session.initialize_params()), mcp_protocol_version="2025-11-25")
        identifier = response.headers.get("mcp-session-id")
        assert identifier is None or re.fullmatch(r"[\x21-\x7e]+", identifier)
        session.session_id = identifier
        await session.delete()


@scenario("logging-set-level")
async def logging_set_level(subject: Legacy) -> None:
    assert (await subject.exchange("logging/setLevel", {"level": "info"}))[0] == {}


@scenario("ping")
async def ping(subject: Legacy) -> None:
    assert (await subject.exchange("ping"))[0] == {}


@scenario("tools-call-with-logging")
async def tools_call_with_logging(subject: Legacy) -> None:
    seen = Seen()
    async with sdk_client(subject.url, seen) as client:
        await client.set_logging_level("debug")
        await client.call_tool("test_tool_with_logging", {})
        await seen.wait_for(types.LoggingMessageNotification, 3)
    assert len(seen.logs) >= 3


@scenario("tools-call-sampling")
async def tools_call_sampling(subject: Legacy) -> None:
    seen = Seen()
    async with sdk_client(subject.url, seen) as client:
        result = await client.call_tool("test_sampling", {"prompt": "Test prompt for sampling"})
    assert len(seen.sampling) == 1 and result.content


async def elicited(subject: Legacy, tool: str, arguments: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """Calls a tool that asks the user; the form it sent."""
    asked: list[Any] = []

    async def on_elicitation(context: Any, params: Any) -> types.ElicitResult:
        asked.append(params)
        return types.ElicitResult(action="accept", content=answer)

    async with sdk_client(subject.url, elicitation_callback=on_elicitation) as client:
        result = await client.call_tool(tool, arguments)
    assert len(asked) == 1 and result.content and not result.is_error
    assert isinstance(asked[0], types.ElicitRequestFormParams)
    return asked[0].requested_schema["properties"]


@scenario("tools-call-elicitation")
async def tools_call_elicitation(subject: Legacy) -> None:
    answer = {"username": "testuser", "email": "test@example.com"}
    await elicited(subject, "test_elicitation", {"message": "Please provide your information"}, answer)


@scenario("elicitation-sep1034-defaults")
async def elicitation_sep1034_defaults(subject: Legacy) -> None:
    answer = {"name": "Jane Smith", "age": 25, "score": 88.0, "status": "inactive", "verified": False}
    properties = await elicited(subject, "test_elicitation_sep1034_defaults", {}, answer)
    for name, expected in DEFAULTS.items():
        assert properties[name]["type"] == expected["type"]
        assert properties[name]["default"] == expected["default"]
    assert properties["status"]["default"] in properties["status"]["enum"]


@scenario("elicitation-sep1330-enums")
async def elicitation_sep1330_enums(subject: Legacy) -> None:
    answer = {
        "untitledSingle": "option1", "titledSingle": "value1", "legacyEnum": "opt1",
        "untitledMulti": ["option1", "option2"], "titledMulti": ["value1", "value2"],
    }  # fmt: skip
    properties = await elicited(subject, "test_elicitation_sep1330_enums", {}, answer)
    untitled, titled, legacy = (properties[name] for name in ("untitledSingle", "titledSingle", "legacyEnum"))
    assert untitled["type"] == "string" and untitled["enum"] and "oneOf" not in untitled and "enumNames" not in untitled
    assert titled["type"] == "string" and "enum" not in titled
    assert all(isinstance(one["const"], str) and isinstance(one["title"], str) for one in titled["oneOf"])
    assert legacy["type"] == "string" and len(legacy["enum"]) == len(legacy["enumNames"])
    several, named = properties["untitledMulti"], properties["titledMulti"]
    assert several["type"] == "array" and several["items"]["type"] == "string"
    assert several["items"]["enum"] and "anyOf" not in several["items"]
    assert named["type"] == "array" and "enum" not in named["items"]
    assert all(isinstance(one["const"], str) and isinstance(one["title"], str) for one in named["items"]["anyOf"])


@scenario("resources-subscribe")
async def resources_subscribe(subject: Legacy) -> None:
    await subject.exchange("resources/subscribe", {"uri": "test://watched-resource"})


@scenario("resources-unsubscribe")
async def resources_unsubscribe(subject: Legacy) -> None:
    await subject.exchange("resources/subscribe", {"uri": "test://watched-resource"})
    await subject.exchange("resources/unsubscribe", {"uri": "test://watched-resource"})
