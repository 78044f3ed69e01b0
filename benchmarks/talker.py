"""A stdio server that talks: `talk` sends `count` progress notifications of `size` bytes, `delay` seconds apart, before it answers.

The soak needs it beside mcp-echo, whose answers are immediate and never become a stream. Standard library only.
"""

import json
import sys
import threading
import time

lock = threading.Lock()
TOOL = {"name": "talk", "description": "Sends progress, then answers.", "inputSchema": {"type": "object"}}


def send(message: dict) -> None:
    with lock:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def talk(message: dict) -> None:
    params = message["params"]
    arguments, token = params.get("arguments") or {}, params.get("_meta", {}).get("progressToken")
    count, text = arguments.get("count", 10), "x" * arguments.get("size", 100)
    for step in range(1, count + 1):
        if token is not None:
            send({"method": "notifications/progress", "params": {"progressToken": token, "progress": step, "total": count, "message": text}})
        time.sleep(arguments.get("delay", 0))
    send({"id": message["id"], "result": {"content": [{"type": "text", "text": f"{count} steps"}]}})


def handle(message: dict) -> None:
    method, identifier = message.get("method"), message.get("id")
    if method is None or identifier is None:
        return
    if method == "initialize":
        send({"id": identifier, "result": {
            "protocolVersion": message["params"]["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": {"name": "talker", "version": "1"}}})
    elif method == "tools/list":
        send({"id": identifier, "result": {"tools": [TOOL]}})
    elif method == "tools/call":
        threading.Thread(target=talk, args=(message,), daemon=True).start()
    elif method == "ping":
        send({"id": identifier, "result": {}})
    else:
        send({"id": identifier, "error": {"code": -32601, "message": "method not found"}})


for line in sys.stdin:
    handle(json.loads(line))
