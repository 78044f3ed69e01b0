"""The resources and the prompts of the server that uses everything."""

from __future__ import annotations

import mcp_types as types
from everything_registry import ANNOTATIONS, ICON

resources = [
    types.Resource(
        uri="everything://text",
        name="text",
        title="Text",
        description="A text",
        mime_type="text/plain",
        size=4,
        icons=[ICON],
        annotations=ANNOTATIONS,
        meta={"example.org/resource": True},
    ),
    types.Resource(uri="everything://blob", name="blob", mime_type="application/octet-stream"),
    types.Resource(uri="everything://counter", name="counter", mime_type="text/plain"),
    *(types.Resource(uri=f"everything://page/{number}", name=f"page {number}") for number in range(9)),
]
templates = [
    types.ResourceTemplate(
        uri_template="everything://item/{name}", name="item", title="Item", mime_type="text/plain", annotations=ANNOTATIONS
    ),
    *(types.ResourceTemplate(uri_template=f"everything://{kind}/{{id}}", name=kind) for kind in "abcdef"),
]
prompts = {
    "simple": types.Prompt(name="simple", description="No arguments"),
    "greet": types.Prompt(
        name="greet",
        title="Greeting",
        description="Greets",
        arguments=[
            types.PromptArgument(name="name", title="Name", description="Whom", required=True),
            types.PromptArgument(name="style", description="How"),
        ],
        icons=[ICON],
        meta={"example.org/prompt": 1},
    ),
    "rich": types.Prompt(name="rich", description="Every type of content"),
    **{f"page-{number}": types.Prompt(name=f"page-{number}") for number in range(6)},
}
