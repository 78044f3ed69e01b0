import GatewayCore
import NIOCore

extension Misbehaviour {
    /// What a child writes instead of, or beside, an answer.
    static let messages: [Misbehaviour] = [
        Misbehaviour(
            "text on standard output before the answer", .result("ok"),
            #"def call(m): raw(b"Listening on port 3000\n"); reply(m["id"], content())"#
        ) { $0.log = "no MCP message" },
        Misbehaviour("half a JSON line, then the answer", .result("ok"), #"def call(m): raw(b'{"half":\n'); reply(m["id"], content())"#) {
            $0.log = "no MCP message"
        },
        Misbehaviour(
            "an answer written byte by byte", .result("ok"),
            #"""
            def call(m):
                for byte in json.dumps({"jsonrpc": "2.0", "id": m["id"], "result": content()}).encode() + b"\n": raw(bytes([byte]))
            """#),
        Misbehaviour(
            "the answer as the last line, without a newline", .result("ok"),
            #"def call(m): raw(json.dumps({"jsonrpc": "2.0", "id": m["id"], "result": content()}).encode()); os._exit(0)"#),
        Misbehaviour("a line of the limit's length", .result("xxxxx"), #"def call(m): reply(m["id"], content("x" * 150000))"#),
        Misbehaviour(
            "a line longer than the limit", .error("limits.maxLineBytes"), #"def bad(m): raw(b"x" * 300000)"# + "\ncall = once"
        ) {
            $0.limit = .maxLineBytes
            $0.log = "upstream stopped"
            $0.next = .error("limits.maxLineBytes")
        },
        Misbehaviour("an endless line", .error("limits.maxLineBytes"), "def call(m):\n    while True: raw(b'x' * 65536)") {
            $0.limit = .maxLineBytes
        },
        .silent("an answer with another id", #"def call(m): reply(m["id"] + 1000, content())"#),
        Misbehaviour(
            "answers that nobody asked for, then the right one", .result("ok"),
            #"def call(m): [reply(i, content("wrong")) for i in (0, 999999, -1, "x", 1.5, m["id"] + 1)]; reply(m["id"], content())"#),
        Misbehaviour("an id in quotes", .result("ok"), #"def call(m): reply(str(m["id"]), content())"#),
        .silent("a result without id", #"def call(m): reply(None, content())"#) { $0.log = "no MCP message" },
        Misbehaviour(
            "an error without id", .error("cannot parse"),
            #"def call(m): send({"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "cannot parse"}})"#
        ) { $0.log = "without saying which request" },
        Misbehaviour(
            "an id too large for any number", .result("ok"),
            #"def call(m): raw(b'{"jsonrpc":"2.0","id":1e400,"result":{}}\n'); reply(m["id"], content())"#),
        Misbehaviour(
            "two answers to one call", .result("ok"), #"def call(m): reply(m["id"], content()); reply(m["id"], content("second"))"#
        ) { $0.next = .result("ok") },
        Misbehaviour(
            "an answer after the cancellation", .error("cancelled"),
            #"""
            def bad(m): progress(m, progress=1)
            call = once
            def cancelled(m): reply(m["params"]["requestId"], content("too late"))
            """#
        ) {
            $0.isCancelled = true
            $0.next = .result("again")
        },
        Misbehaviour(
            "result and error in one answer", .error("broken message"),
            #"def bad(m): send({"jsonrpc": "2.0", "id": m["id"], "result": {}, "error": {"code": 1, "message": "x"}})"# + "\ncall = once"
        ) { $0.next = .result("again") },
        Misbehaviour("an answer with neither", .error("broken message"), #"def call(m): send({"jsonrpc": "2.0", "id": m["id"]})"#),
        Misbehaviour("a result that is no object", .error("no object"), #"def call(m): reply(m["id"], ["ok"])"#),
        Misbehaviour("a result of null", .error("no object"), #"def call(m): reply(m["id"], None)"#),
        Misbehaviour(
            "an error that is a string", .error("broken message"), #"def call(m): send({"jsonrpc": "2.0", "id": m["id"], "error": "boom"})"#
        ),
        Misbehaviour("an answer without jsonrpc", .error("broken message"), #"def call(m): send({"id": m["id"], "result": content()})"#),
        Misbehaviour(
            "an answer of JSON-RPC 1.0", .error("broken message"),
            #"def call(m): send({"jsonrpc": "1.0", "id": m["id"], "result": content()})"#),
        Misbehaviour(
            "the id twice in one answer", .error("broken message"),
            #"def call(m): raw(b'{"jsonrpc":"2.0","id":%d,"id":%d,"result":{}}\n' % (m["id"], m["id"]))"#),
        Misbehaviour(
            "bytes that are no UTF-8 in the answer", .error("broken message"),
            #"def bad(m): raw(b'{"jsonrpc":"2.0","id":%d,"result":{"content":[{"type":"text","text":"\xff\xfe"}]}}\n' % m["id"])"#
                + "\ncall = once"
        ) { $0.next = .result("again") },
        Misbehaviour("a line of NUL bytes", .result("ok"), #"def call(m): raw(b"\0\0\0\n"); reply(m["id"], content())"#),
        Misbehaviour(
            "a NUL byte within the answer", .error("broken message"),
            #"def call(m): raw(b'{"jsonrpc":"2.0","id":%d,"result":{"a":"\0"}}\n' % m["id"])"#),
        Misbehaviour(
            "an answer nested ten thousand deep", .error("broken message"),
            #"def call(m): raw(b'{"jsonrpc":"2.0","id":%d,"result":{"a":%s}}\n' % (m["id"], b"[" * 10000 + b"]" * 10000))"#),
        Misbehaviour(
            "an answer nested ten thousand deep whose id comes last", .error("nested too deeply"),
            #"def call(m): raw(b'{"result":{"id":1,"a":%s},"id":%d,"jsonrpc":"2.0"}\n' % (b"[" * 10000 + b"]" * 10000, m["id"]))"#),
        Misbehaviour("a byte order mark at the beginning", .result("ok"), #"def start(): raw(b"\xef\xbb\xbf")"#),
        Misbehaviour(
            "lines that end with CR LF", .result("ok"), #"def send(value): raw(json.dumps(value).encode() + b"\r\n")"#),
        Misbehaviour(
            "empty lines and lines of spaces", .result("ok"),
            #"def call(m): raw(b"\n\r\n   \n\t\n\n"); reply(m["id"], content()); raw(b"\n")"#),
        Misbehaviour(
            "the answer in a batch", .result("ok"),
            #"def call(m): send([{"jsonrpc": "2.0", "method": "notifications/x"}, {"jsonrpc": "2.0", "id": m["id"], "result": content()}])"#
        ),
        Misbehaviour(
            "a broken answer in a batch", .error("broken message"),
            #"def call(m): send([1, {"jsonrpc": "2.0", "id": m["id"]}, {"jsonrpc": "2.0", "id": 77777, "result": {}}])"#),
        Misbehaviour("an empty batch", .result("ok"), #"def call(m): send([]); reply(m["id"], content())"#),
        Misbehaviour(
            "bare JSON values", .result("ok"),
            #"def call(m): [send(value) for value in (None, True, 1, "text", {}, [[]])]; reply(m["id"], content())"#
        ) { $0.log = "no MCP message" },
        Misbehaviour(
            "a request with an unknown method", .result("-32601"),
            #"""
            def call(m): send({"jsonrpc": "2.0", "id": "q", "method": "what/is/this", "params": {}})
            def answered(m): reply(last["id"], content(str(m["error"]["code"])))
            """#),
        Misbehaviour(
            "a request whose method is a number", .result("ok"),
            #"def call(m): send({"jsonrpc": "2.0", "id": "q", "method": 5}); reply(m["id"], content())"#),
        Misbehaviour(
            "progress without token, with a token of another, after the answer, and of the wrong type", .result("ok"),
            #"""
            def call(m):
                notify("notifications/progress")
                for token in (None, -1, 10 ** 30, [], {"a": 1}, "x", m["id"] + 1): notify("notifications/progress", progressToken=token, progress="x")
                reply(m["id"], content())
                progress(m, progress=1)
            """#),
        Misbehaviour(
            "a cancellation of what was never asked", .result("ok"),
            #"def call(m): [notify("notifications/cancelled", requestId=i) for i in (1, "x", None, {})]; reply(m["id"], content())"#),
    ]
}
