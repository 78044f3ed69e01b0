"""The tools of the conformance scenarios that ask the client."""

from __future__ import annotations

import json
from typing import Any

import mcp_types as types
from inputs import Inputs, form, roots, sampling

USER = {"username": {"type": "string", "description": "User's response"}, "email": {"type": "string", "description": "User's email"}}
DEFAULTS = {
    "name": {"type": "string", "description": "User name", "default": "John Doe"},
    "age": {"type": "integer", "description": "User age", "default": 30},
    "score": {"type": "number", "description": "User score", "default": 95.5},
    "status": {"type": "string", "description": "User status", "enum": ["active", "inactive", "pending"], "default": "active"},
    "verified": {"type": "boolean", "description": "Verification status", "default": True},
}


def titled(*titles: str) -> list[dict[str, str]]:
    return [{"const": f"value{number}", "title": title} for number, title in enumerate(titles, 1)]


ENUMS = {
    "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
    "titledSingle": {"type": "string", "oneOf": titled("First Option", "Second Option", "Third Option")},
    "legacyEnum": {"type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": ["Option One", "Option Two", "Option Three"]},
    "untitledMulti": {"type": "array", "items": {"type": "string", "enum": ["option1", "option2", "option3"]}},
    "titledMulti": {"type": "array", "items": {"anyOf": titled("First Choice", "Second Choice", "Third Choice")}},
}


def said(value: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=value)])


def name_form(message: str = "What is your name?") -> types.ElicitRequest:
    return form(message, {"name": {"type": "string"}}, ["name"])


def confirm() -> types.ElicitRequest:
    return form("Please confirm", {"ok": {"type": "boolean"}}, ["ok"])


def content(answer: dict[str, Any], field: str) -> Any:
    return (answer.get("content") or {}).get(field)


async def test_sampling(ctx: Any, arguments: dict[str, Any], inputs: Inputs) -> Any:
    answer = (await inputs.ask(answer=sampling(arguments.get("prompt", ""))))["answer"]
    return said(f"LLM response: {answer['content']['text']}")


async def test_elicitation(ctx: Any, arguments: dict[str, Any], inputs: Inputs) -> Any:
    answer = (await inputs.ask(user=form(arguments.get("message", ""), USER, ["username", "email"])))["user"]
    return said(f"User response: action={answer['action']}, content={json.dumps(answer.get('content'))}")


def elicits(properties: dict[str, Any]) -> Any:
    async def call(ctx: Any, arguments: dict[str, Any], inputs: Inputs) -> Any:
        answer = (await inputs.ask(user=form("Please review", properties, [])))["user"]
        return said(f"Elicitation completed: action={answer['action']}, content={json.dumps(answer.get('content'))}")

    return call


async def test_missing_capability(ctx: Any, arguments: dict[str, Any], inputs: Inputs) -> Any:
    answer = (await inputs.ask(answer=sampling("Anything")))["answer"]
    return said(answer["content"]["text"])


async def test_streaming_elicitation(ctx: Any, arguments: dict[str, Any], inputs: Inputs) -> Any:
    answer = (await inputs.ask(confirm=confirm()))["confirm"]
    return said(answer["action"])


async def elicitation(ctx: Any, arguments: dict[str, Any], inputs: Inputs) -> Any:
    answer = (await inputs.ask(stateless=True, user_name=name_form()))["user_name"]
    return said(f"Hello, {content(answer, 'name')}!")


async def one_sampling(ctx: Any, arguments: dict[str, Any], inputs: Inputs) -> Any:
    answer = (await inputs.ask(stateless=True, capital_question=sampling("What is the capital of France?")))["capital_question"]
    return said(answer["content"]["text"])


async def list_roots(ctx: Any, arguments: dict[str, Any], inputs: Inputs) -> Any:
    answer = (await inputs.ask(stateless=True, client_roots=roots()))["client_roots"]
    return said(", ".join(root["uri"] for root in answer["roots"]))


async def request_state(ctx: Any, arguments: dict[str, Any], inputs: Inputs) -> Any:
    answer = (await inputs.ask(confirm=confirm()))["confirm"]
    return said(f"state-ok {answer['action']}")


async def multiple_inputs(ctx: Any, arguments: dict[str, Any], inputs: Inputs) -> Any:
    answers = await inputs.ask(
        user_name=name_form(), greeting=sampling("Generate a greeting", max_tokens=50), client_roots=roots()
    )
    return said(f"{answers['greeting']['content']['text']} {content(answers['user_name'], 'name')}")


async def multi_round(ctx: Any, arguments: dict[str, Any], inputs: Inputs) -> Any:
    name = content((await inputs.ask(step1=name_form("Step 1: What is your name?")))["step1"], "name")
    question = form("Step 2: What is your favorite color?", {"color": {"type": "string"}}, ["color"])
    colour = content((await inputs.ask(step2=question))["step2"], "color")
    return said(f"{name} likes {colour}")


async def capabilities(ctx: Any, arguments: dict[str, Any], inputs: Inputs) -> Any:
    wanted: dict[str, Any] = {"model": sampling("Anything"), "user": confirm(), "roots": roots()}
    asked = {key: request for key, request in wanted.items() if inputs.can(request.method)}
    answers = await inputs.ask(**asked)
    return said(", ".join(sorted(answers)))


ASKING: dict[str, tuple[str, Any]] = {
    "test_sampling": ("Asks the model", test_sampling),
    "test_elicitation": ("Asks the user", test_elicitation),
    "test_elicitation_sep1034_defaults": ("Asks with defaults", elicits(DEFAULTS)),
    "test_elicitation_sep1330_enums": ("Asks with choices", elicits(ENUMS)),
    "test_missing_capability": ("Needs sampling", test_missing_capability),
    "test_streaming_elicitation": ("Asks for a confirmation", test_streaming_elicitation),
    "test_input_required_result_elicitation": ("Asks for a name", elicitation),
    "test_input_required_result_sampling": ("Asks for a capital", one_sampling),
    "test_input_required_result_list_roots": ("Asks for the roots", list_roots),
    "test_input_required_result_request_state": ("Asks and remembers", request_state),
    "test_input_required_result_multiple_inputs": ("Asks for much at once", multiple_inputs),
    "test_input_required_result_multi_round": ("Asks twice", multi_round),
    "test_input_required_result_tampered_state": ("Asks and remembers", request_state),
    "test_input_required_result_capabilities": ("Asks for what the client can answer", capabilities),
}
