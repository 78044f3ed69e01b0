"""A stdio server that writes down what it executes, so that a test of failures can tell what happened from what was acknowledged.

In the standard library alone: it is started again and again. LEDGER names a file that all processes append to, one JSON object for each
execution: `client` and `call` (its arguments, which name the call), `tool`, `pid` and `instance` (the process that started it).
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any

LEDGER = os.environ["LEDGER"]
INSTANCE = os.getppid()
READ_ONLY, IDEMPOTENT = {"readOnlyHint": True}, {"readOnlyHint": False, "idempotentHint": True}
TOOLS: dict[str, dict[str, Any]] = {"append": {}, "put": IDEMPOTENT, "look": READ_ONLY, "steps": {}, "scan": READ_ONLY, "own": {}, "ask": {}, "confirm": IDEMPOTENT}
"""By name, what each says of itself."""

output_lock = threading.Lock()
counting = threading.Lock()
answers: dict[str, tuple[threading.Event, list[Any]]] = {}
count = 0


def execute(tool: str, arguments: dict[str, Any], **more: Any) -> None:
    entry = {"tool": tool, "client": arguments.get("client"), "call": arguments.get("call"), "pid": os.getpid(), "instance": INSTANCE, **more}
    descriptor = os.open(LEDGER, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    # One write: what several processes append does not mix.
    os.write(descriptor, json.dumps(entry).encode() + b"\n")
    os.close(descriptor)


def send(*messages: dict[str, Any]) -> None:
    with output_lock:
        sys.stdout.buffer.write(b"".join(json.dumps({"jsonrpc": "2.0", **one}).encode() + b"\n" for one in messages))
        sys.stdout.buffer.flush()


def result(identifier: Any, **content: Any) -> dict[str, Any]:
    return {"id": identifier, "result": {"content": [{"type": "text", "text": json.dumps(content)}], "structuredContent": content}}


def call(identifier: Any, params: dict[str, Any]) -> None:
    global count
    tool, arguments = params["name"], params.get("arguments") or {}
    token = params.get("_meta", {}).get("progressToken")
    match tool:
        case "append" | "put" | "look":
            execute(tool, arguments)
            send(result(identifier, call=arguments["call"]))
        case "steps" | "scan":
            # Numbered, so that one that is missing, doubled or out of its place is seen.
            execute(tool, arguments)
            for step in range(1, arguments["steps"] + 1):
                time.sleep(arguments["pause"])
                if token is not None:
                    progress = {"progressToken": token, "progress": step, "total": arguments["steps"]}
                    send({"method": "notifications/progress", "params": progress})
            send(result(identifier, call=arguments["call"]))
        case "own":
            # One session has this process: what it counts is that session's. Then a message that belongs to no request.
            with counting:
                count += 1
                data = {"pid": os.getpid(), "count": count}
            execute(tool, arguments, count=data["count"])
            note = {"method": "notifications/message", "params": {"level": "warning", "logger": "ledger", "data": data}}
            send(result(identifier, call=arguments["call"], **data), note)
        case "ask" | "confirm":
            schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
            for question in range(arguments.get("questions", 1)):
                asked = f"ask-{question}-{json.dumps(identifier)}"
                event, box = answers[asked] = (threading.Event(), [])
                text = f"{arguments['client']} {arguments['call']} {question}"
                send({"id": asked, "method": "elicitation/create", "params": {"message": text, "requestedSchema": schema}})
                event.wait(60)
                answer = box[0].get("result") if box else None
                if answer is None:
                    return send({"id": identifier, "error": {"code": -32000, "message": f"the client did not answer: {box}"}})
            execute(tool, arguments, answer=answer)
            send(result(identifier, call=arguments["call"], answer=answer["content"]["name"]))
        case _:
            send({"id": identifier, "error": {"code": -32602, "message": f"unknown tool {tool}"}})


def handle(message: dict[str, Any]) -> None:
    method, identifier = message.get("method"), message.get("id")
    match method:
        case None:
            event, box = answers.get(str(identifier), (None, []))
            if event is not None:
                box.append(message)
                event.set()
        case "initialize":
            send({"id": identifier, "result": {
                "protocolVersion": message["params"]["protocolVersion"],
                "capabilities": {"tools": {}, "logging": {}},
                "serverInfo": {"name": "ledger", "version": "0"},
            }})  # fmt: skip
        case "tools/list":
            schema = {"type": "object"}
            tools = [{"name": name, "inputSchema": schema, **({"annotations": hints} if hints else {})} for name, hints in TOOLS.items()]
            send({"id": identifier, "result": {"tools": tools}})
        case "tools/call":
            threading.Thread(target=call, args=(identifier, message["params"]), daemon=True).start()
        case "ping" | "logging/setLevel":
            send({"id": identifier, "result": {}})
        case _ if identifier is not None:
            send({"id": identifier, "error": {"code": -32601, "message": f"unknown method {method}"}})


def main() -> None:
    for line in sys.stdin.buffer:
        handle(json.loads(line))
    # At once: threads that wait are nobody's any more.
    os._exit(0)


if __name__ == "__main__":
    main()
