"""The server that the official conformance scenarios want to find: their tools, prompts and resources, in either era.

    conformance_server.py [--era legacy|modern|dual] [--http PORT]

Which scenario needs what is written down with the scenarios (modelcontextprotocol/conformance, src/scenarios/server).
"""

from __future__ import annotations

import base64
import json
import warnings
from typing import Any

import anyio
import eras
import mcp_types as types
from conformance_inputs import ASKING
from inputs import InputNeeded, Inputs, form
from mcp import MCPError
from mcp.server.caching import CacheHint
from mcp.server.lowlevel.server import NotificationOptions, Server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, PromptsListChanged, ToolsListChanged

warnings.simplefilter("ignore")

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
WAV = base64.b64encode(b"RIFF\x24\x00\x00\x00WAVEfmt ").decode()
PAUSE = 0.02
bus = InMemorySubscriptionBus()


def text(value: str) -> types.TextContent:
    return types.TextContent(text=value)


def image() -> types.ImageContent:
    return types.ImageContent(data=PNG, mime_type="image/png")


def embedded(uri: str, mime_type: str, content: str) -> types.EmbeddedResource:
    return types.EmbeddedResource(resource=types.TextResourceContents(uri=uri, mime_type=mime_type, text=content))


# Tools without a question to the client. Those with one are in `conformance_inputs`.


def says(*content: Any, is_error: bool = False) -> Any:
    async def call(ctx: Any, arguments: dict[str, Any]) -> Any:
        return types.CallToolResult(content=list(content), is_error=is_error)

    return call


async def log(ctx: Any, arguments: dict[str, Any]) -> Any:
    for message in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.session.send_log_message("info", message, related_request_id=ctx.request_id)
        await anyio.sleep(PAUSE)
    return types.CallToolResult(content=[text("logged")])


async def progress(ctx: Any, arguments: dict[str, Any]) -> Any:
    for done in (0, 50, 100):
        await ctx.session.report_progress(done, 100)
        await anyio.sleep(PAUSE)
    return types.CallToolResult(content=[text(str((ctx.meta or {}).get("progress_token", "none")))])


# As in the SDK's own server for the scenarios: what was added is gone again when the clients are told.


async def change_tools(ctx: Any, arguments: dict[str, Any]) -> Any:
    TOOLS["test_dynamic_tool"] = ("Was added", says(text("dynamic")))
    del TOOLS["test_dynamic_tool"]
    await ctx.session.send_tool_list_changed()
    await bus.publish(ToolsListChanged())
    return types.CallToolResult(content=[text("changed")])


async def change_prompts(ctx: Any, arguments: dict[str, Any]) -> Any:
    PROMPTS["test_dynamic_prompt"] = types.Prompt(name="test_dynamic_prompt", description="Was added")
    del PROMPTS["test_dynamic_prompt"]
    await ctx.session.send_prompt_list_changed()
    await bus.publish(PromptsListChanged())
    return types.CallToolResult(content=[text("changed")])


TOOLS: dict[str, tuple[str, Any]] = {
    "test_simple_text": ("Says a text", says(text("This is a simple text response for testing."))),
    "test_image_content": ("Shows an image", says(image())),
    "test_audio_content": ("Plays a sound", says(types.AudioContent(data=WAV, mime_type="audio/wav"))),
    "test_embedded_resource": (
        "Embeds a resource",
        says(embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")),
    ),
    "test_multiple_content_types": (
        "Says, shows and embeds",
        says(
            text("Multiple content types test:"), image(),
            embedded("test://mixed-content-resource", "application/json", json.dumps({"test": "data", "value": 123})),
        ),
    ),
    "test_tool_with_logging": ("Logs", log),
    "test_logging_tool": ("Logs", log),
    "test_error_handling": ("Fails", says(text("This tool intentionally returns an error for testing"), is_error=True)),
    "test_tool_with_progress": ("Reports progress", progress),
    "test_trigger_tool_change": ("Adds a tool", change_tools),
    "test_trigger_prompt_change": ("Adds a prompt", change_prompts),
}  # fmt: skip
SCHEMAS = {
    # The keywords of JSON Schema 2020-12 that must survive (the scenario json-schema-2020-12).
    "json_schema_2020_12_tool": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
            }
        },
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": False,
    }
}
TOOLS["json_schema_2020_12_tool"] = ("Has a schema with the keywords of 2020-12", says(text("ok")))


async def on_list_tools(ctx: Any, params: Any) -> types.ListToolsResult:
    described = {name: description for name, (description, _) in {**TOOLS, **ASKING}.items()}
    return types.ListToolsResult(
        tools=[
            types.Tool(name=name, description=description, input_schema=SCHEMAS.get(name, {"type": "object", "properties": {}}))
            for name, description in described.items()
        ]
    )


async def on_call_tool(ctx: Any, params: types.CallToolRequestParams) -> Any:
    arguments = params.arguments or {}
    if params.name in TOOLS:
        return await TOOLS[params.name][1](ctx, arguments)
    if params.name not in ASKING:
        raise MCPError(code=-32602, message=f"unknown tool {params.name!r}")
    try:
        return await ASKING[params.name][1](ctx, arguments, Inputs(ctx, params, params.name))
    except InputNeeded as needed:
        return needed.result


# Resources.


async def on_list_resources(ctx: Any, params: Any) -> types.ListResourcesResult:
    described = {
        "test://static-text": ("A text", "text/plain"),
        "test://static-binary": ("An image", "image/png"),
        "test://watched-resource": ("One to subscribe to", "text/plain"),
    }
    return types.ListResourcesResult(
        resources=[
            types.Resource(uri=uri, name=uri.removeprefix("test://"), description=description, mime_type=mime_type)
            for uri, (description, mime_type) in described.items()
        ]
    )


async def on_list_resource_templates(ctx: Any, params: Any) -> types.ListResourceTemplatesResult:
    template = types.ResourceTemplate(uri_template="test://template/{id}/data", name="template", mime_type="application/json")
    return types.ListResourceTemplatesResult(resource_templates=[template])


async def on_read_resource(ctx: Any, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
    uri = str(params.uri)
    contents: Any
    if uri == "test://static-binary":
        contents = types.BlobResourceContents(uri=uri, mime_type="image/png", blob=PNG)
    elif uri in ("test://static-text", "test://watched-resource"):
        contents = types.TextResourceContents(
            uri=uri, mime_type="text/plain", text="This is the content of the static text resource."
        )
    elif uri.startswith("test://template/") and uri.endswith("/data"):
        identifier = uri.split("/")[3]
        data = {"id": identifier, "templateTest": True, "data": f"Data for ID: {identifier}"}
        contents = types.TextResourceContents(uri=uri, mime_type="application/json", text=json.dumps(data))
    else:
        raise MCPError(code=-32602 if eras.is_modern(ctx) else -32002, message="Resource not found", data={"uri": uri})
    return types.ReadResourceResult(contents=[contents])


async def on_subscribe(ctx: Any, params: Any) -> types.EmptyResult:
    return types.EmptyResult()


# Prompts.


def argument(name: str) -> types.PromptArgument:
    return types.PromptArgument(name=name, description=name, required=True)


PROMPTS = {
    "test_simple_prompt": types.Prompt(name="test_simple_prompt", description="Without arguments"),
    "test_prompt_with_arguments": types.Prompt(
        name="test_prompt_with_arguments", description="With arguments", arguments=[argument("arg1"), argument("arg2")]
    ),
    "test_prompt_with_embedded_resource": types.Prompt(
        name="test_prompt_with_embedded_resource", description="With a resource", arguments=[argument("resourceUri")]
    ),
    "test_prompt_with_image": types.Prompt(name="test_prompt_with_image", description="With an image"),
    "test_input_required_result_prompt": types.Prompt(
        name="test_input_required_result_prompt", description="Asks the user first"
    ),
}


async def on_list_prompts(ctx: Any, params: Any) -> types.ListPromptsResult:
    return types.ListPromptsResult(prompts=list(PROMPTS.values()))


async def on_get_prompt(ctx: Any, params: types.GetPromptRequestParams) -> Any:
    arguments = params.arguments or {}
    match params.name:
        case "test_simple_prompt":
            content: list[Any] = [text("This is a simple prompt for testing.")]
        case "test_prompt_with_arguments":
            content = [text(f"Prompt with arguments: arg1='{arguments.get('arg1')}', arg2='{arguments.get('arg2')}'")]
        case "test_prompt_with_embedded_resource":
            resource = embedded(arguments["resourceUri"], "text/plain", "Embedded resource content for testing.")
            content = [resource, text("Please process the embedded resource above.")]
        case "test_prompt_with_image":
            content = [image(), text("Please analyze the image above.")]
        case "test_input_required_result_prompt":
            question = form("What context should the prompt use?", {"context": {"type": "string"}}, ["context"])
            try:
                answer = (await Inputs(ctx, params, params.name).ask(stateless=True, user_context=question))["user_context"]
            except InputNeeded as needed:
                return needed.result
            content = [text(f"The context is {answer.get('content', {}).get('context')}")]
        case _:
            raise MCPError(code=-32602, message=f"unknown prompt {params.name!r}")
    return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=block) for block in content])


async def on_completion(ctx: Any, params: types.CompleteRequestParams) -> types.CompleteResult:
    return types.CompleteResult(completion=types.Completion(values=["testValue1", "testValue2"], total=2, has_more=False))


async def on_set_logging_level(ctx: Any, params: types.SetLevelRequestParams) -> types.EmptyResult:
    return types.EmptyResult()


server: Server[Any] = Server(
    "conformance",
    version="1.0.0",
    on_list_tools=on_list_tools,
    on_call_tool=on_call_tool,
    on_list_resources=on_list_resources,
    on_list_resource_templates=on_list_resource_templates,
    on_read_resource=on_read_resource,
    on_subscribe_resource=on_subscribe,
    on_unsubscribe_resource=on_subscribe,
    on_list_prompts=on_list_prompts,
    on_get_prompt=on_get_prompt,
    on_completion=on_completion,
    on_set_logging_level=on_set_logging_level,
    on_subscriptions_listen=ListenHandler(bus),
    cache_hints={
        method: CacheHint(1_000, "public")
        for method in ("tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read")
    },
)
_options = server.create_initialization_options


def initialization_options(*_: Any, **__: Any) -> Any:
    return _options(NotificationOptions(prompts_changed=True, resources_changed=True, tools_changed=True))


# The HTTP session manager asks the server for them.
server.create_initialization_options = initialization_options  # type: ignore[method-assign]

if __name__ == "__main__":
    chosen = eras.arguments(__doc__)
    eras.serve(server, chosen.era, chosen.http, initialization_options())
