import GatewayCore
import NIOCore
import Upstreams

extension Misbehaviour {
    /// How a child begins and ends, and what it does to its pipes.
    static let life: [Misbehaviour] = [
        // MARK: Handshake
        Misbehaviour(
            "messages and text before initialize is asked", .result("ok"),
            #"def start(): raw(b"hello\n"); log("early"); [reply(i, content("early")) for i in range(3, 10)]"#
        ) {
            $0.log = "no MCP message"
        },
        Misbehaviour("initialize answered twice", .result("ok"), "first = initialize\ndef initialize(m): first(m); first(m)"),
        Misbehaviour(
            "a protocol version that is a number", .error("protocol version"),
            #"def initialize(m): reply(m["id"], {"protocolVersion": 2025, "capabilities": {}, "serverInfo": {}})"#),
        Misbehaviour(
            "a protocol version of the future", .error("2099-01-01"),
            #"def initialize(m): reply(m["id"], {"protocolVersion": "2099-01-01", "capabilities": {}})"#),
        Misbehaviour("initialize answered with a list", .error("no object"), #"def initialize(m): reply(m["id"], [])"#),
        Misbehaviour(
            "initialize answered with broken JSON", .error("broken message"),
            #"def initialize(m): raw(b'{"jsonrpc":"2.0","id":%d,"result":{\n' % m["id"])"#),
        Misbehaviour(
            "initialize refused", .error("no licence"),
            #"def initialize(m): send({"jsonrpc": "2.0", "id": m["id"], "error": {"code": -1, "message": "no licence"}})"#),
        Misbehaviour(
            "initialize refused without an id", .error("no licence"),
            #"def initialize(m): send({"jsonrpc": "2.0", "id": None, "error": {"code": -1, "message": "no licence"}})"#),
        Misbehaviour("initialize never answered", .error("did not answer initialize"), "def initialize(m): pass") {
            $0.handshakeTimeout = .seconds(1)
            $0.log = "did not finish the handshake"
        },
        Misbehaviour(
            "capabilities, serverInfo and instructions of the wrong types", .result("ok"),
            #"def initialize(m): reply(m["id"], {"protocolVersion": "2025-11-25", "capabilities": ["tools"], "serverInfo": 1, "instructions": {}})"#
        ),
        Misbehaviour("a list of tools that is a string", .result("ok"), #"def tools(m): reply(m["id"], {"tools": "none"})"#),
        Misbehaviour(
            "tools without names", .result("ok"), #"def tools(m): reply(m["id"], {"tools": [1, {}, {"name": 5}, None, {"name": ""}]})"#),
        Misbehaviour(
            "a list of tools whose pages never end", .result("ok"), #"def tools(m): reply(m["id"], {"tools": [], "nextCursor": "more"})"#),
        Misbehaviour(
            "a list of tools with ever new pages", .result("ok"),
            "pages = iter(range(10 ** 9))\ndef tools(m): reply(m[\"id\"], {\"tools\": [], \"nextCursor\": str(next(pages))})"
        ) { $0.log = "does not end" },
        Misbehaviour("a list of tools that is never given", .result("ok"), "def tools(m): pass"),

        // MARK: End
        Misbehaviour(
            "exit with a code in the middle of a call", .error("exited with code 3; last lines of standard error: the last words"),
            #"def bad(m): sys.stderr.write("the last words\n"); sys.stderr.flush(); os._exit(3)"# + "\ncall = once"
        ) { $0.log = "upstream stopped" },
        Misbehaviour("exit with code 0 in the middle of a call", .error("exited with code 0"), "def call(m): os._exit(0)"),
        Misbehaviour("a crash", .error("SIGSEGV"), "def call(m): os.kill(os.getpid(), signal.SIGSEGV)") { $0.log = "upstream stopped" },
        Misbehaviour(
            "an exit before initialize is answered", .error("could not be started: the process exited with code 4"),
            "def start(): os._exit(4)"),
        Misbehaviour(
            "a program that does not exist any more", .error("exited with code 127"),
            #"def start(): os.execvp("sh", ["sh", "-c", "exec /no/such/program"])"#),
        Misbehaviour(
            "a child that ignores SIGTERM and the end of its input", .result("ok"),
            #"""
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            def call(m):
                reply(m["id"], content())
                while True: time.sleep(60)
            """#),
        Misbehaviour(
            "a grandchild that holds the pipes when the child exits", .error("exited with code 5"),
            #"""
            def call(m):
                if os.fork() == 0:
                    signal.signal(signal.SIGTERM, signal.SIG_IGN)
                    while True: time.sleep(60)
                os._exit(5)
            """#),
        Misbehaviour(
            "a grandchild in a session of its own that holds the pipes", .error("exited with code 5"),
            #"""
            def call(m):
                if os.fork() == 0:
                    os.setsid()
                    time.sleep(5)
                    os._exit(0)
                os._exit(5)
            """#),

        // MARK: Pipes
        Misbehaviour("a closed standard output", .error("closed its standard output"), "def call(m): os.close(1); time.sleep(60)"),
        Misbehaviour("a closed standard input", .error("closed its standard input"), "def call(m): os.close(0); time.sleep(60)"),
        .silent("a child that stops", "def call(m): os.kill(os.getpid(), signal.SIGSTOP)"),
        Misbehaviour(
            "input that is not read", .error("limits.maxQueuedInputBytes"),
            "def tools(m): time.sleep(60)"
        ) {
            $0.limit = .maxQueuedInputBytes
            $0.argumentBytes = 300_000
        },
    ]

    /// What a child does too much of.
    static let floods: [Misbehaviour] = [
        Misbehaviour(
            "30,000 log messages before the answer", .result("ok"),
            #"def call(m): [log(i) for i in range(30000)]; reply(m["id"], content())"#
        ) { $0.notifications = 30_000 },
        Misbehaviour(
            "30,000 progress notifications in a few large writes", .result("ok"),
            #"""
            def call(m):
                line = json.dumps({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": m["id"], "progress": 1}})
                raw((line + "\n").encode() * 30000)
                reply(m["id"], content())
            """#
        ) { $0.notifications = 30_000 },
        Misbehaviour(
            "log messages without end after the answer", .result("ok"),
            #"""
            def call(m):
                reply(m["id"], content())
                line = json.dumps({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "error", "data": "x"}})
                while True: raw((line + "\n").encode() * 500)
            """#),
        .silent(
            "log messages without end instead of an answer",
            #"""
            def call(m):
                line = json.dumps({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "error", "data": "x" * 100}})
                while True: raw((line + "\n").encode() * 100)
            """#),
        Misbehaviour(
            "100,000 lines of text before the answer", .result("ok"),
            #"def call(m): raw(b"debug: still here\n" * 100000); reply(m["id"], content())"#
        ) { $0.log = "no MCP message" },
        Misbehaviour(
            "10,000 announcements that the list of tools has changed", .result("ok"),
            #"def call(m): [notify("notifications/tools/list_changed") for i in range(10000)]; reply(m["id"], content())"#),
        .silent(
            "pings without end whose answers are not read",
            #"""
            def call(m):
                line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"})
                while True: raw((line + "\n").encode() * 500)
            """#
        ) {
            $0.limit = .maxQueuedInputBytes
            $0.limits.maxQueuedInputBytes = 10_000
            $0.callTimeout = .seconds(4)
        },
        Misbehaviour(
            "20,000 questions for a client that cannot answer", .result("ok"),
            #"""
            def call(m):
                lines = [json.dumps({"jsonrpc": "2.0", "id": i, "method": "sampling/createMessage", "params": {}}) for i in range(20000)]
                raw(("\n".join(lines) + "\n").encode())
                reply(m["id"], content())
            """#),
        Misbehaviour(
            "100,000 lines on standard error", .result("ok"),
            #"def call(m): [os.write(2, b"noise\n" * 1000) for i in range(100)]; reply(m["id"], content()); time.sleep(1.2)"#
        ) { $0.log = "suppressed" },
        Misbehaviour(
            "a line on standard error without end", .result("ok"),
            #"def call(m): [os.write(2, b"n" * 65536) for i in range(100)]; reply(m["id"], content())"#),
    ]

    static let all = messages + life + floods
}
