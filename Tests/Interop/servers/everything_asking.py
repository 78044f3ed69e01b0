"""The tools of the server that uses everything that ask the client, in either era."""

from __future__ import annotations

from typing import Any

import everything_world as world
import mcp_types as types
from eras import is_modern
from everything_registry import schema, text, tool
from inputs import Inputs, form, roots, sampling
from mcp import MCPError

SIGN_IN = "https://example.org/sign-in"
PERSON = {
    "name": {"type": "string", "title": "Name", "minLength": 1},
    "age": {"type": "integer", "minimum": 0},
    "colour": {"type": "string", "enum": ["red", "green"]},
    "agree": {"type": "boolean", "default": False},
}


def ask_url(ctx: Any, message: str, identifier: str) -> types.ElicitRequest:
    """A question to the user with a page for the answer. Since 2026-07-28 it has no identifier."""
    if ctx.protocol_version < "2025-11-25":
        raise MCPError(code=-32050, message="the client's revision has no elicitation by a page")
    more = {} if is_modern(ctx) else {"elicitation_id": identifier}
    return types.ElicitRequest(params=types.ElicitRequestURLParams(message=message, url=SIGN_IN, **more))


@tool("ask-model", "Asks the client's model", schema(prompt={"type": "string"}), asks=True)
async def ask_model(ctx: Any, arguments: dict[str, Any], inputs: Inputs) -> Any:
    question = sampling(
        arguments.get("prompt", "hello"),
        system_prompt="Be brief.",
        temperature=0.5,
        stop_sequences=["END"],
        model_preferences=types.ModelPreferences(hints=[types.ModelHint(name="small")], cost_priority=1.0),
    )
    answer = (await inputs.ask(model=question))["model"]
    return types.CallToolResult(
        content=[text(answer["content"]["text"])], structured_content={"model": answer["model"], "role": answer["role"]}
    )


@tool("ask-user", "Asks the user by a form", asks=True)
async def ask_user(ctx: Any, arguments: dict[str, Any], inputs: Inputs) -> Any:
    answer = (await inputs.ask(user=form("Who are you?", PERSON, ["name"])))["user"]
    return types.CallToolResult(
        content=[text(answer["action"])], structured_content={"action": answer["action"], "content": answer.get("content")}
    )


@tool("ask-user-url", "Asks the user to visit a page", asks=True)
async def ask_user_url(ctx: Any, arguments: dict[str, Any], inputs: Inputs) -> Any:
    identifier = arguments.get("id", "e-1")
    answer = (await inputs.ask(page=ask_url(ctx, "Please sign in", identifier)))["page"]
    if not is_modern(ctx):
        await ctx.session.send_elicit_complete(identifier, related_request_id=ctx.request_id)
    return types.CallToolResult(content=[text(answer["action"])])


@tool("need-url", "Refuses until the user has visited a page: for each id once, without one always", asks=True)
async def need_url(ctx: Any, arguments: dict[str, Any], inputs: Inputs) -> Any:
    if is_modern(ctx):
        answer = (await inputs.ask(page=ask_url(ctx, "Sign in", "e-2")))["page"]
        return types.CallToolResult(content=[text(answer["action"])])
    if "id" in arguments and world.was_here(arguments["id"]):
        return types.CallToolResult(content=[text("accept")])
    raise MCPError(
        code=-32042,
        message="Sign in first",
        data={"elicitations": [{"mode": "url", "message": "Sign in", "url": SIGN_IN, "elicitationId": "e-2"}]},
    )


@tool("list-roots", "Lists the client's roots", asks=True)
async def list_roots(ctx: Any, arguments: dict[str, Any], inputs: Inputs) -> Any:
    answer = (await inputs.ask(roots=roots()))["roots"]
    return types.CallToolResult(content=[text(root["uri"]) for root in answer["roots"]])


@tool("ask-in-rounds", "Asks the user, then the model about what the user said, then the user again", asks=True)
async def ask_in_rounds(ctx: Any, arguments: dict[str, Any], inputs: Inputs) -> Any:
    name = (await inputs.ask(name=form("Your name?", {"name": {"type": "string"}})))["name"]["content"]["name"]
    poem = (await inputs.ask(poem=sampling(f"A poem about {name}")))["poem"]["content"]["text"]
    liked = (await inputs.ask(liked=form(poem, {"agree": {"type": "boolean"}})))["liked"]
    return types.CallToolResult(content=[text(name), text(poem), text(liked["action"])])


@tool("ask-all-at-once", "Asks the user, the model and for the roots together", asks=True)
async def ask_all_at_once(ctx: Any, arguments: dict[str, Any], inputs: Inputs) -> Any:
    answers = await inputs.ask(
        name=form("Your name?", {"name": {"type": "string"}}), greeting=sampling("A greeting"), roots=roots()
    )
    return types.CallToolResult(
        content=[
            text(answers["name"]["content"]["name"]),
            text(answers["greeting"]["content"]["text"]),
            text(str(len(answers["roots"]["roots"]))),
        ]
    )


@tool("ask-after-progress", "Reports progress, asks the user, and reports more", asks=True)
async def ask_after_progress(ctx: Any, arguments: dict[str, Any], inputs: Inputs) -> Any:
    await ctx.session.report_progress(1, 2, "before")
    answer = (await inputs.ask(user=form("Go on?", {"agree": {"type": "boolean"}})))["user"]
    await ctx.session.report_progress(2, 2, "after")
    return types.CallToolResult(content=[text(answer["action"])])


@tool("ping-client", "Pings the client; there is no such ping since 2026-07-28")
async def ping_client(ctx: Any, arguments: dict[str, Any]) -> Any:
    await ctx.session.send_ping()
    return types.CallToolResult(content=[text("pong")])


@tool(
    "routed",
    "Mirrors some of its arguments into headers",
    schema(
        region={"type": "string", "x-mcp-header": "Region"},
        level={"type": "integer", "x-mcp-header": "Level"},
        dry={"type": "boolean", "x-mcp-header": "Dry-Run"},
        where={"type": "object", "properties": {"zone": {"type": "string", "x-mcp-header": "Zone"}}},
        body={"type": "string"},
    ),
)
async def routed(ctx: Any, arguments: dict[str, Any]) -> Any:
    headers = dict(ctx.request.headers) if ctx.request is not None else {}
    mirrored = {name: value for name, value in headers.items() if name.startswith("mcp-")}
    return types.CallToolResult(content=[text("routed")], structured_content={"arguments": arguments, "headers": mirrored})
