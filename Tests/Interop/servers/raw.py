"""A stdio server in the standard library alone: starts in a blink, echoes bytes exactly, and misbehaves on command.

Environment:
    RAW_RECORD=FILE     appends every line it receives, and "EOF" and "SIGTERM"
    RAW_STUBBORN=1      ignores SIGTERM and the end of its input
    RAW_HANDSHAKE=never|garbage|exit   does not answer initialize, writes noise first, or exits with 4
    RAW_WAIT_FILE=FILE  answers initialize when that file exists
    RAW_REVISION=R      answers initialize with that revision
    RAW_TOOL=NAME       has one more tool of that name
    RAW_DISCOVER=HOW    answers server/discover not with -32601 but with an error of that code, an error without an id (noid), a result
                        that is none (strange) or tells of another revision (other, older, both), noise (garbage), not at all (silent),
                        or exits (exit)
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

RECORD = os.environ.get("RAW_RECORD")
STUBBORN = os.environ.get("RAW_STUBBORN") == "1"

TOOLS = [
    "echo", "pid", "count", "progress", "garbage", "silent", "late", "die", "fork", "twice", "halves", "noisy", "ask", "notify",
    "touch", "separators", "stderr", "wait", "deaf", "long", "broken",
]  # fmt: skip
if os.environ.get("RAW_TOOL"):
    TOOLS.append(os.environ["RAW_TOOL"])

output_lock = threading.Lock()
record_lock = threading.Lock()
answers: dict[str, tuple[threading.Event, list[Any]]] = {}
cancelled: dict[str, threading.Event] = {}
subscriptions: set[str] = set()
hearing = threading.Event()
hearing.set()
counter = 0
touched = 0
level = "debug"


def record(line: str) -> None:
    if RECORD:
        with record_lock, open(RECORD, "a") as file:
            file.write(line.rstrip("\n") + "\n")


def write(data: bytes) -> None:
    with output_lock:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def send(message: dict[str, Any]) -> None:
    # A lone surrogate has no UTF-8.
    write(json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False).encode(errors="replace") + b"\n")


def answer(identifier: Any, result: dict[str, Any]) -> None:
    send({"id": identifier, "result": result})


def say(identifier: Any, text: str, structured: dict[str, Any] | None = None) -> None:
    result: dict[str, Any] = {"content": [{"type": "text", "text": text}]}
    if structured is not None:
        result["structuredContent"] = structured
    answer(identifier, result)


def raw_arguments(line: str) -> str:
    """The bytes of `arguments` as they came, so that numbers keep their digits."""
    start = line.index(":", line.index('"arguments"') + len('"arguments"')) + 1
    while line[start] in " \t":
        start += 1
    _, end = json.JSONDecoder().raw_decode(line, start)
    return line[start:end]


def call(message: dict[str, Any], line: str) -> None:
    global counter, touched
    identifier, params = message["id"], message["params"]
    name, arguments = params["name"], params.get("arguments") or {}
    token = params.get("_meta", {}).get("progressToken")
    # A lost client must not stop a thread in the middle: EPIPE ends the process anyway.
    if name == "echo":
        value = raw_arguments(line) if "arguments" in params else "{}"
        head = json.dumps({"jsonrpc": "2.0", "id": identifier})[:-1]
        write(f'{head},"result":{{"content":[],"structuredContent":{value}}}}}\n'.encode())
    elif name == "pid":
        say(identifier, str(os.getpid()), {"pid": os.getpid(), "level": level, "subscriptions": sorted(subscriptions)})
    elif name == "count":
        counter += 1
        say(identifier, str(counter), {"count": counter})
    elif name == "progress":
        steps = arguments.get("steps", 3)
        for step in range(1, steps + 1):
            if token is not None:
                send({"method": "notifications/progress", "params": {"progressToken": token, "progress": step, "total": steps}})
            time.sleep(arguments.get("delay", 0))
        say(identifier, f"{steps} steps", {"steps": steps})
    elif name == "garbage":
        write(b'this is not JSON\n{"jsonrpc": "2.0", "id":\n\n[1, 2\n\xff\xfe\n\x1b[31mcolour\x1b[0m\n')
        say(identifier, "after the garbage")
    elif name == "silent":
        cancelled[json.dumps(identifier)] = threading.Event()
    elif name == "late":
        event = cancelled.setdefault(json.dumps(identifier), threading.Event())
        event.wait(30)
        say(identifier, "too late")
    elif name == "die":
        for number in range(arguments.get("lines", 3)):
            print(f"last words {number}", file=sys.stderr, flush=True)
        if "signal" in arguments:
            os.kill(os.getpid(), arguments["signal"])
            time.sleep(5)
        os._exit(arguments.get("code", 3))
    elif name == "fork":
        # A grandchild in a session of its own would be out of reach; in our group it must go when we go.
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdin=subprocess.DEVNULL)
        say(identifier, str(child.pid), {"pid": child.pid})
    elif name == "twice":
        say(identifier, "first")
        say(identifier, "second")
        send({"id": 987654321, "result": {"content": []}})
    elif name == "halves":
        data = json.dumps({"jsonrpc": "2.0", "id": identifier, "result": {"content": [{"type": "text", "text": "ünïcödé 🎉"}]}},
                          ensure_ascii=False).encode()  # fmt: skip
        for index in range(len(data)):
            write(data[index : index + 1])
        write(b"\r\n")
    elif name == "separators":
        # U+2028, U+2029 and U+0085 are no line ends in JSON-RPC over stdio.
        say(identifier, "a\u2028b\u2029c\u0085d", {"text": "a\u2028b\u2029c\u0085d"})
    elif name == "noisy":
        for number in range(arguments.get("lines", 1000)):
            print(f"noise {number} " + "x" * 100, file=sys.stderr)
        sys.stderr.flush()
        say(identifier, "noisy")
    elif name == "stderr":
        print(arguments.get("text", "text"), file=sys.stderr, flush=True)
        say(identifier, "written")
    elif name == "ask":
        ask_id = f"ask-{json.dumps(identifier)}"
        event, box = answers[ask_id] = (threading.Event(), [])
        send({"id": ask_id, "method": arguments["method"], "params": arguments.get("params", {})})
        event.wait(30)
        say(identifier, "answered", {"answer": box[0] if box else None})
    elif name == "notify":
        notification = {"method": arguments["method"], "params": arguments.get("params", {})}
        if arguments.get("after"):
            # After the answer, and in the same breath: a notification that belongs to no request.
            answered = {"id": identifier, "result": {"content": [{"type": "text", "text": "notified"}]}}
            write(b"".join(json.dumps({"jsonrpc": "2.0", **one}).encode() + b"\n" for one in (answered, notification)))
        else:
            send(notification)
            say(identifier, "notified")
    elif name == "touch":
        touched += 1
        if "raw://counter" in subscriptions:
            send({"method": "notifications/resources/updated", "params": {"uri": "raw://counter"}})
        say(identifier, str(touched))
    elif name == "deaf":
        # Reads nothing for a while: what is sent to it waits.
        hearing.clear()
        say(identifier, "deaf")
        time.sleep(arguments.get("seconds", 1))
        hearing.set()
    elif name == "broken":
        # An answer that is none.
        send({"id": identifier})
    elif name == "long":
        say(identifier, "x" * arguments.get("size", 1000))
    elif name == "wait":
        time.sleep(arguments.get("seconds", 0))
        say(identifier, "waited")
    elif name in TOOLS:
        say(identifier, name)
    else:
        send({"id": identifier, "error": {"code": -32602, "message": f"unknown tool {name}"}})


def initialize(message: dict[str, Any]) -> None:
    handshake = os.environ.get("RAW_HANDSHAKE")
    if handshake == "never":
        return
    if handshake == "exit":
        print("cannot start: no licence", file=sys.stderr, flush=True)
        os._exit(4)
    wait_file = os.environ.get("RAW_WAIT_FILE")
    while wait_file and not os.path.exists(wait_file):
        time.sleep(0.02)
    if handshake == "garbage":
        write(b"Welcome to the raw server v1\nLoading...\n")
    answer(
        message["id"],
        {
            "protocolVersion": os.environ.get("RAW_REVISION") or message["params"]["protocolVersion"],
            "capabilities": {"tools": {"listChanged": True}, "resources": {"subscribe": True}, "logging": {}},
            "serverInfo": {"name": "raw", "version": "0"},
        },
    )


def handle(message: Any, line: str) -> None:
    global level
    if not isinstance(message, dict):
        return
    method, params = message.get("method"), message.get("params") or {}
    if method is None:
        event, box = answers.get(message.get("id"), (None, []))
        if event is not None:
            box.append({key: message[key] for key in ("result", "error") if key in message})
            event.set()
    elif method == "notifications/cancelled":
        cancelled.setdefault(json.dumps(params.get("requestId")), threading.Event()).set()
    elif "id" not in message:
        pass
    elif method == "initialize":
        initialize(message)
    elif method == "server/discover":
        discover(message["id"])
    elif method == "ping":
        answer(message["id"], {})
    elif method == "tools/list":
        answer(message["id"], {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]})
    elif method == "tools/call":
        threading.Thread(target=call, args=(message, line), daemon=True).start()
    elif method == "resources/list":
        answer(message["id"], {"resources": [{"uri": "raw://counter", "name": "counter"}]})
    elif method == "resources/templates/list":
        answer(message["id"], {"resourceTemplates": []})
    elif method == "resources/read":
        answer(message["id"], {"contents": [{"uri": params["uri"], "text": str(touched)}]})
    elif method in ("resources/subscribe", "resources/unsubscribe"):
        (subscriptions.add if method == "resources/subscribe" else subscriptions.discard)(params["uri"])
        answer(message["id"], {})
    elif method == "logging/setLevel":
        level = params["level"]
        answer(message["id"], {})
    else:
        send({"id": message["id"], "error": {"code": -32601, "message": f"unknown method {method}"}})


def discover(identifier: Any) -> None:
    how = os.environ.get("RAW_DISCOVER", "-32601")
    match how:
        case "silent":
            pass
        case "garbage":
            write(b"what is server/discover?\n")
        case "exit":
            os._exit(5)
        case "noid":
            send({"id": None, "error": {"code": -32600, "message": "Invalid Request"}})
        case "strange":
            answer(identifier, {})
        case "older":
            answer(identifier, {"supportedVersions": ["2025-11-25"], "capabilities": {"tools": {}}})
        case "other" | "both":
            supported = ["2099-01-01"] + (["2025-11-25"] if how == "both" else [])
            data = {"supported": supported, "requested": "2026-07-28"}
            send({"id": identifier, "error": {"code": -32022, "message": "Unsupported protocol version", "data": data}})
        case _:
            send({"id": identifier, "error": {"code": int(how), "message": "no"}})


def main() -> None:
    def on_term(*_: Any) -> None:
        record("SIGTERM")
        if not STUBBORN:
            os._exit(0)

    signal.signal(signal.SIGTERM, on_term)
    record(f"START {os.getpid()}")
    for raw in sys.stdin.buffer:
        hearing.wait()
        line = raw.decode()
        record(line)
        try:
            handle(json.loads(line), line)
        except ValueError:
            send({"id": None, "error": {"code": -32700, "message": "Parse error"}})
    record("EOF")
    while STUBBORN:
        time.sleep(60)
    os._exit(0)


if __name__ == "__main__":
    main()
