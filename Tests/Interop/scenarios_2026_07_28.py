"""The conformance scenarios for servers that came with revision 2026-07-28, but for `server-stateless` (see `scenarios_stateless`)."""

from __future__ import annotations

from typing import Any

from modern import ALL_CAPABILITIES, Answers, ModernClient, Reply
from modern import answers as every_answer
from scenarios import COMMON, Modern, Scenario, registering
from scenarios_stateless import server_stateless

REQUIRED = """
server-stateless completion-complete tools-list tools-call-simple-text tools-call-image tools-call-audio
tools-call-embedded-resource tools-call-mixed-content tools-call-error tools-call-with-progress server-sse-multiple-streams
resources-list resources-read-text resources-read-binary resources-templates-read sep-2164-resource-not-found prompts-list
prompts-get-simple prompts-get-with-args prompts-get-embedded-resource prompts-get-with-image dns-rebinding-protection caching
input-required-result-basic-elicitation input-required-result-basic-sampling input-required-result-basic-list-roots
input-required-result-request-state input-required-result-multiple-input-requests input-required-result-multi-round
input-required-result-missing-input-response input-required-result-non-tool-request input-required-result-result-type
input-required-result-unsupported-methods input-required-result-tampered-state input-required-result-capability-check
input-required-result-ignore-extra-params input-required-result-validate-input
""".split()
"""What `requirements/2026-07-28.yaml` asks of a server."""

SCENARIOS: dict[str, Scenario] = dict(COMMON)
scenario = registering(SCENARIOS)
scenario("server-stateless")(server_stateless)

ELICITATION = "test_input_required_result_elicitation"
ALICE: Answers = every_answer() | {"elicitation/create": lambda params: {"action": "accept", "content": {"name": "Alice"}}}


@scenario("sep-2164-resource-not-found")
async def resource_not_found(subject: Modern) -> None:
    uri = "test://nonexistent-resource-for-conformance-testing"
    reply = await subject.client.exchange("resources/read", {"uri": uri})
    assert reply.error is not None and reply.error["code"] == -32602
    assert reply.error["data"]["uri"] == uri


@scenario("caching")
async def caching(subject: Modern) -> None:
    async def cached(method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        result = await subject.client.request(method, params)
        assert isinstance(result["ttlMs"], int) and result["ttlMs"] >= 0
        assert result["cacheScope"] in ("public", "private")
        return result

    for method in ("tools/list", "prompts/list", "resources/templates/list"):
        await cached(method)
    resources = (await cached("resources/list"))["resources"]
    await cached("resources/read", {"uri": resources[0]["uri"]})


async def first(client: ModernClient, tool: str) -> dict[str, Any]:
    """The first round of a tool that needs input."""
    result = await client.call(tool)
    assert result["resultType"] == "input_required" and result["inputRequests"]
    return result


async def again(client: ModernClient, tool: str, result: dict[str, Any], answers: Answers = ALICE) -> Reply:
    """The next round, with every answer."""
    params = ModernClient.retry({"name": tool, "arguments": {}}, result, answers)
    return await client.exchange("tools/call", params)


def is_complete(reply: Reply) -> bool:
    return reply.result.get("resultType") != "input_required"


def methods(result: dict[str, Any]) -> set[str]:
    return {request["method"] for request in result["inputRequests"].values()}


@scenario("input-required-result-basic-elicitation")
async def basic_elicitation(subject: Modern) -> None:
    result = await first(subject.client, ELICITATION)
    assert result["inputRequests"]["user_name"]["method"] == "elicitation/create"
    reply = await again(subject.client, ELICITATION, result)
    assert is_complete(reply) and reply.result["content"]


@scenario("input-required-result-basic-sampling")
async def basic_sampling(subject: Modern) -> None:
    tool = "test_input_required_result_sampling"
    result = await first(subject.client, tool)
    assert methods(result) == {"sampling/createMessage"}
    assert is_complete(await again(subject.client, tool, result))


@scenario("input-required-result-basic-list-roots")
async def basic_list_roots(subject: Modern) -> None:
    tool = "test_input_required_result_list_roots"
    result = await first(subject.client, tool)
    assert methods(result) == {"roots/list"}
    assert is_complete(await again(subject.client, tool, result))


@scenario("input-required-result-request-state")
async def request_state(subject: Modern) -> None:
    tool = "test_input_required_result_request_state"
    result = await first(subject.client, tool)
    assert isinstance(result["requestState"], str) and result["requestState"]
    reply = await again(subject.client, tool, result)
    assert is_complete(reply) and "state-ok" in reply.result["content"][0]["text"]


@scenario("input-required-result-multiple-input-requests")
async def multiple_input_requests(subject: Modern) -> None:
    tool = "test_input_required_result_multiple_inputs"
    result = await first(subject.client, tool)
    assert result["requestState"] and len(result["inputRequests"]) >= 3
    assert methods(result) == {"elicitation/create", "sampling/createMessage", "roots/list"}
    assert is_complete(await again(subject.client, tool, result))


@scenario("input-required-result-multi-round")
async def multi_round(subject: Modern) -> None:
    tool = "test_input_required_result_multi_round"
    one = await first(subject.client, tool)
    two = (await again(subject.client, tool, one)).result
    assert two["resultType"] == "input_required" and two["inputRequests"]
    assert one["requestState"] and two["requestState"] and one["requestState"] != two["requestState"]
    assert is_complete(await again(subject.client, tool, two))


@scenario("input-required-result-missing-input-response")
async def missing_input_response(subject: Modern) -> None:
    wrong = {"wrong_key": {"action": "accept", "content": {"data": "wrong"}}}
    result = await subject.client.call(ELICITATION, inputResponses=wrong)
    assert result["resultType"] == "input_required"


@scenario("input-required-result-non-tool-request")
async def non_tool_request(subject: Modern) -> None:
    params = {"name": "test_input_required_result_prompt"}
    result = await subject.client.request("prompts/get", params)
    assert result["resultType"] == "input_required" and result["inputRequests"]
    context = {"elicitation/create": lambda params: {"action": "accept", "content": {"context": "test context"}}}
    reply = await subject.client.exchange("prompts/get", ModernClient.retry(params, result, context))
    assert is_complete(reply) and reply.result["messages"]


@scenario("input-required-result-result-type")
async def result_type(subject: Modern) -> None:
    assert (await subject.client.call(ELICITATION))["resultType"] == "input_required"


@scenario("input-required-result-unsupported-methods")
async def unsupported_methods(subject: Modern) -> None:
    for method in ("tools/list", "prompts/list"):
        assert is_complete(await subject.client.exchange(method))


@scenario("input-required-result-tampered-state")
async def tampered_state(subject: Modern) -> None:
    tool = "test_input_required_result_tampered_state"
    result = await first(subject.client, tool)
    reply = await again(subject.client, tool, result | {"requestState": result["requestState"] + "-TAMPERED"})
    assert reply.error is not None


@scenario("input-required-result-capability-check")
async def capability_check(subject: Modern) -> None:
    meta = {"io.modelcontextprotocol/clientCapabilities": {"sampling": {}}}
    result = await subject.client.call("test_input_required_result_capabilities", _meta=meta)
    assert result["resultType"] == "input_required"
    assert "elicitation/create" not in methods(result)


@scenario("input-required-result-ignore-extra-params")
async def ignore_extra_params(subject: Modern) -> None:
    responses = {
        "user_name": {"action": "accept", "content": {"name": "Alice"}},
        "unknown_extra_key": {"action": "accept", "content": {"foo": "bar"}},
        "another_unexpected": {"action": "accept", "content": {"baz": 123}},
    }
    params = {"name": ELICITATION, "arguments": {}, "inputResponses": responses}
    assert is_complete(await subject.client.exchange("tools/call", params))


@scenario("input-required-result-validate-input")
async def validate_input(subject: Modern) -> None:
    for responses in ({"user_name": 12345}, None):
        message = subject.client.message("tools/call", {"name": ELICITATION, "arguments": {}, "inputResponses": responses})
        reply = ModernClient.reply(await subject.client.post(message))
        # Not accepted: an error, or asked again. Of a request it cannot read, a server may not know the id.
        assert reply.error is not None or not is_complete(reply)


def subject(url: str) -> Modern:
    """A client as the scenarios' own, which declares what they answer."""
    return Modern(ModernClient(url, ALL_CAPABILITIES | {"elicitation": {}}))


