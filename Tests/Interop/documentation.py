"""Reads the pages of docs/ and runs what they tell to type."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway import BINARY, ROOT, Gateway

# Where the examples ask.
URL = "http://127.0.0.1:3001"

# An event stream has no end, so curl gets a time; that it is over is then no failure. Everything else must succeed.
SHELL = """
set -euo pipefail
curl() { command curl -m 10 "$@"; }
feed() { command curl -m 2 "$@" || [[ $? == 28 ]]; }
"""
MARK = "---- block ----"


@dataclass
class Block:
    """One code block."""

    language: str
    text: str


def page(name: str) -> str:
    return (ROOT / name).read_text()


def blocks(name: str) -> list[Block]:
    """The code blocks of a page."""
    return [Block(*found) for found in re.findall(r"^```(\w*)\n(.*?)^```$", page(name), re.MULTILINE | re.DOTALL)]


def run_commands(commands: list[str], gateway: Gateway, directory: Path) -> list[str]:
    """Types the blocks into one shell, one after the other; what each of them printed."""
    (directory / "mcp-gateway").symlink_to(BINARY)
    script = SHELL + "".join(f"\n{command}\necho; echo '{MARK}'\n" for command in commands)
    script = script.replace(URL, gateway.base_url).replace("curl -sN", "feed -sN")
    environment = {
        **os.environ, "PATH": f"{directory}:{Path(sys.executable).parent}:{os.environ['PATH']}", "MCP_GATEWAY_PORT": str(gateway.port),
    }  # fmt: skip
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout.split(MARK + "\n")[:-1]


def shape(value: Any) -> Any:
    """What remains of JSON without its values: names and types. Of an array the first element."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def parsed_events(text: str) -> list[dict[str, str]]:
    """The events of an event stream: their fields."""
    found = [dict(line.split(": ", 1) for line in block.splitlines() if ": " in line) for block in text.split("\n\n")]
    return [event for event in found if "data" in event]


def same_shape(documented: str, printed: str) -> None:
    """A documented answer has the members and types of the real one."""
    assert shape(json.loads(documented)) == shape(json.loads(printed)), f"{documented}\nis documented, and this is true:\n{printed}"
