import GatewayCore
import NIOCore
import Testing
import Upstreams

/// One row of the table: what a child does, and what comes of it.
struct Misbehaviour: Sendable, CustomTestStringConvertible {
    /// What a client's call gets.
    enum Outcome: Sendable {
        /// A result that contains the text.
        case result(String)
        /// An error that contains the text.
        case error(String)
    }

    let name: String
    /// Python that replaces functions of `Misbehaviour.prelude`.
    let script: String
    let outcome: Outcome
    /// What the next call to the same child gets; nil when it is not called again.
    var next: Outcome?
    /// What some log line contains.
    var log: String?
    /// The limit that is counted.
    var limit: LimitKey?
    var limits = ChildLimits(
        maxLineBytes: 200_000, maxQueuedInputBytes: 200_000, stderrLinesPerSecond: 3, closeInputGrace: .milliseconds(200),
        terminateGrace: .milliseconds(200))
    var callTimeout = TimeAmount.seconds(60)
    var handshakeTimeout = TimeAmount.seconds(20)
    /// Length of a string that the call carries as an argument.
    var argumentBytes = 1
    /// The client cancels the call as soon as the child has it.
    var isCancelled = false
    /// How many notifications the client gets with the call; nil for any number.
    var notifications: Int?

    var testDescription: String { name }

    init(_ name: String, _ outcome: Outcome, _ script: String, _ change: (inout Misbehaviour) -> Void = { _ in }) {
        self.name = name
        self.outcome = outcome
        self.script = script
        change(&self)
    }

    /// A row whose call is never answered.
    static func silent(_ name: String, _ script: String, _ change: (inout Misbehaviour) -> Void = { _ in }) -> Misbehaviour {
        Misbehaviour(name, .error("did not answer within"), script) {
            $0.callTimeout = .seconds(2)
            change(&$0)
        }
    }

    /// A well-behaved server in Python; each row replaces some of its functions. `calls` counts the calls so far, the current one included.
    static let prelude = #"""
        import json, os, signal, sys, time
        calls = 0
        last = None
        def raw(data): os.write(1, data) if len(data) <= 65536 else [os.write(1, data[i:i + 65536]) for i in range(0, len(data), 65536)]
        def send(value): raw(json.dumps(value).encode() + b"\n")
        def notify(method, **params): send({"jsonrpc": "2.0", "method": method, "params": params})
        def progress(message, **more): notify("notifications/progress", progressToken=message["id"], **more)
        def log(data): notify("notifications/message", level="error", data=data)
        def reply(id, value): send({"jsonrpc": "2.0", "id": id, "result": value})
        def content(text="ok"): return {"content": [{"type": "text", "text": text}]}
        def start(): pass
        def initialize(m): reply(m["id"], {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}, "logging": {}},
            "serverInfo": {"name": "child", "version": "1"}})
        def tools(m): reply(m["id"], {"tools": [{"name": "t", "inputSchema": {"type": "object"}}]})
        def call(m): reply(m["id"], content())
        def cancelled(m): pass
        def answered(m): pass
        def bad(m): pass
        def once(m):
            # What only the first call meets.
            if calls == 1: bad(m)
            else: reply(m["id"], content("again"))
        def main():
            global calls, last
            start()
            while True:
                line = sys.stdin.buffer.readline()
                if not line: break
                m = json.loads(line)
                method = m.get("method")
                if method == "initialize": initialize(m)
                elif method == "server/discover": send({"jsonrpc": "2.0", "id": m["id"], "error": {"code": -32601, "message": "what?"}})
                elif method == "tools/list": tools(m)
                elif method == "logging/setLevel": reply(m["id"], {})
                elif method == "tools/call":
                    calls += 1
                    last = m
                    call(m)
                elif method == "notifications/cancelled": cancelled(m)
                elif method is None: answered(m)

        """#
}
