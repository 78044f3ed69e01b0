import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import Testing

@testable import GatewayCore

@Suite("Conversations with modern servers") struct ModernPeerTests {
    private static let capabilities =
        #"{"tools":{"listChanged":true},"prompts":{"listChanged":false},"resources":{"listChanged":true,"subscribe":true}}"#

    private func makeReady(_ bench: PeerBench, capabilities: String = capabilities) throws {
        bench.peer.start()
        bench.link.answerDiscover(try #require(bench.link.messages(of: .serverDiscover).last), capabilities: capabilities)
        bench.loop.run()
    }

    private func meta(_ message: Message) -> String {
        message.json.slice(message.routing.meta).map { String(buffer: $0) } ?? ""
    }

    private func filter(_ message: Message) -> String {
        message.json.slice(message.param("notifications")).map { String(buffer: $0) } ?? ""
    }

    // MARK: Start

    @Test("server/discover says who asks; its answer makes the peer ready, with nothing more said")
    func discover() throws {
        let bench = PeerBench(era: .auto)
        try makeReady(bench, capabilities: "{}")
        let probe = try #require(bench.link.messages.first)
        #expect(
            meta(probe)
                == #"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"}}"#
        )
        #expect(bench.isReady)
        #expect(bench.link.revision == .v2026_07_28)
        #expect(bench.link.messages.count == 1)
        let info = try #require(bench.owner.ready.first)
        #expect(info.era == .modern)
        #expect(info.instructions == "be modern")
        #expect(info.serverInfo.map { String(buffer: $0) } == #"{"name":"m","version":"1"}"#)
    }

    @Test("a server that refuses the probe is initialised on the same link")
    func refused() throws {
        let bench = PeerBench(era: .auto)
        bench.peer.start()
        bench.link.answer(bench.link.messages[0], code: -32601, error: "Method not found")
        bench.link.shakeHands()
        #expect(bench.isReady)
        #expect(bench.factory.attempts == 1)
        #expect(bench.link.messages.map(\.methodName) == [.serverDiscover, .initialize, .initialized])
    }

    @Test("a server that is silent about the probe is initialised after a while")
    func silent() throws {
        let bench = PeerBench(era: .auto)
        bench.peer.start()
        bench.loop.advanceTime(by: .milliseconds(4999))
        #expect(bench.link.messages(of: .initialize).isEmpty)
        bench.loop.advanceTime(by: .milliseconds(1))
        bench.link.shakeHands()
        #expect(bench.isReady)
        // What it says late about the probe is nobody's.
        bench.link.answer(bench.link.messages[0], code: -32601, error: "Method not found")
        #expect(bench.isReady)
    }

    @Test("a server that has not read the probe is not taken for a silent one, for half of the time that a start may take")
    func slow() throws {
        let bench = PeerBench(era: .auto)
        bench.factory.areSlow = true
        bench.peer.start()
        bench.loop.advanceTime(by: .milliseconds(9_000))
        #expect(bench.link.messages(of: .initialize).isEmpty)
        bench.link.hasUnreadInput = false
        bench.loop.advanceTime(by: .milliseconds(4_900))
        #expect(bench.link.messages(of: .initialize).isEmpty)
        bench.loop.advanceTime(by: .milliseconds(200))
        #expect(bench.link.messages(of: .initialize).count == 1)
    }

    @Test("a server that ends with the probe is started again at once, without one")
    func endsWithProbe() throws {
        let bench = PeerBench(era: .auto)
        let call = try bench.call()
        bench.link.crash("exit 1")
        #expect(bench.factory.attempts == 2)
        #expect(bench.owner.downs.isEmpty)
        #expect(bench.link.messages.map(\.methodName) == [.initialize])
        bench.link.shakeHands()
        #expect(bench.link.messages(of: .toolsCall).count == 1)
        bench.link.answer(bench.link.messages(of: .toolsCall)[0], result: "{}")
        #expect(call.responses.count == 1)
    }

    @Test("a server that ends with initialize too has failed, and is probed again later")
    func endsAnyway() throws {
        let bench = PeerBench(era: .auto)
        let call = try bench.call()
        bench.link.crash("exit 1")
        bench.link.crash("exit 1")
        #expect(call.failures.count == 1)
        bench.loop.advanceTime(by: .seconds(2))
        _ = try bench.call("2")
        #expect(bench.factory.attempts == 3)
        #expect(bench.link.messages.map(\.methodName) == [.serverDiscover])
    }

    @Test("the era is remembered for later starts, and found out again when one fails")
    func remembered() throws {
        let bench = PeerBench(restartsByItself: true, era: .auto)
        bench.peer.start()
        bench.link.answer(bench.link.messages[0], code: -32601, error: "Method not found")
        bench.link.shakeHands()
        bench.link.crash()
        bench.loop.advanceTime(by: .seconds(2))
        #expect(bench.link.messages.map(\.methodName) == [.initialize])
        bench.link.answer(bench.link.messages[0], code: -32601, error: "modern now")
        bench.loop.advanceTime(by: .seconds(2))
        #expect(bench.link.messages.map(\.methodName) == [.serverDiscover])
        bench.link.answerDiscover(bench.link.messages[0])
        #expect(bench.isReady)
    }

    // MARK: Requests

    @Test("requests of the gateway's own say so; what waits for the start does too")
    func ownRequests() throws {
        let bench = PeerBench(era: .auto)
        let future = bench.peer.request(method: "tools/list", params: nil)
        try makeReady(bench, capabilities: "{}")
        let list = try #require(bench.link.messages(of: .toolsList).first)
        #expect(meta(list).contains(#""io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"}"#))
        bench.link.answer(list, result: #"{"tools":[]}"#)
        #expect(bench.outcome(future) != nil)
    }

    @Test("notifications and answers do not go to a modern server, and its requests are not passed on")
    func oneWay() throws {
        let bench = PeerBench(era: .auto)
        try makeReady(bench, capabilities: "{}")
        bench.peer.notify(ByteBuffer(string: #"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#))
        bench.link.receive(#"{"jsonrpc":"2.0","id":7,"method":"sampling/createMessage","params":{}}"#)
        #expect(bench.link.messages.count == 1)
        #expect(bench.owner.requests.isEmpty)
    }

    @Test("a cancelled request is taken back with a notification")
    func cancel() throws {
        let bench = PeerBench(era: .auto)
        try makeReady(bench, capabilities: "{}")
        let call = try bench.call()
        bench.peer.cancel(call: try #require(call.call), reason: nil)
        #expect(bench.link.messages(of: .cancelled).count == 1)
    }

    // MARK: Header fields

    private static func tool(_ name: String, _ header: String) -> String {
        #"{"name":"\#(name)","inputSchema":{"type":"object","properties":{"p":{"type":"string","x-mcp-header":"\#(header)"}}}}"#
    }

    @Test("a call that is refused for its header is sent again when the tools have been read again, once")
    func headerMismatch() throws {
        let bench = PeerBench(era: .auto)
        try makeReady(bench, capabilities: #"{"tools":{}}"#)
        bench.link.needsParameterHeaders = true
        let call = try bench.call()
        bench.link.answer(bench.link.messages(of: .toolsCall)[0], code: -32020, error: "Header mismatch")
        #expect(!call.isOver)
        bench.link.answer(try #require(bench.link.messages(of: .toolsList).first), result: #"{"tools":[\#(Self.tool("t", "Region"))]}"#)
        bench.loop.run()
        #expect(bench.link.parameterHeaders == ["t": ["Region"]])
        #expect(bench.link.messages(of: .toolsCall).count == 2)
        #expect(bench.owner.notifications.map(\.methodName) == [.toolsListChanged])
        bench.link.answer(bench.link.messages(of: .toolsCall)[1], code: -32020, error: "Header mismatch")
        #expect(call.responses.count == 1)
    }

    @Test("a tool whose annotations are wrong is left out where they are needed, and only there", arguments: [true, false])
    func wrongAnnotations(isHTTP: Bool) throws {
        let server = ScriptedServer(
            "s", capabilities: #"{"tools":{"listChanged":true}}"#, lists: [.tools: Self.tool("a", "Good")], era: .modern)
        let bench = GatewayBench([server])
        server.link.needsParameterHeaders = isHTTP
        server.set(.tools, Self.tool("good", "Good") + "," + Self.tool("bad", "not a token"))
        server.link.notify("notifications/tools/list_changed", of: try #require(server.link.messages(of: .subscriptionsListen).last))
        bench.settle()
        let list = try bench.request("tools/list", in: try bench.session()).result ?? ""
        #expect(list.contains("s__good"))
        #expect(list.contains("s__bad") == !isHTTP)
    }

    // MARK: Listening

    private struct Listened {
        let outcomes = NIOLockedValueBox<[String: Bool]>([:])
        func callAsFunction(_ uri: String) -> Bool? { outcomes.withLockedValue { $0[uri] } }
    }

    private func listen(_ bench: PeerBench, _ uris: [String]) -> Listened {
        let listened = Listened()
        for uri in uris {
            bench.peer.listen(to: .resource(uri), within: .hours(1)) { isAgreed in listened.outcomes.withLockedValue { $0[uri] = isAgreed }
            }
        }
        bench.loop.run()
        return listened
    }

    @Test("one subscription asks for the changes of lists that the server declared")
    func listChanges() throws {
        let bench = PeerBench(era: .auto)
        try makeReady(bench)
        let listen = try #require(bench.link.messages(of: .subscriptionsListen).first)
        #expect(filter(listen) == #"{"toolsListChanged":true,"resourcesListChanged":true}"#)
        #expect(meta(listen).contains("2026-07-28"))
        bench.link.acknowledge(listen)
        bench.link.notify("notifications/tools/list_changed", of: listen)
        #expect(bench.owner.notifications.map(\.methodName) == [.toolsListChanged])
        #expect(bench.owner.notifications.first.map(meta) == "{}")
    }

    @Test("without anything to listen to there is no subscription")
    func nothing() throws {
        let bench = PeerBench(era: .auto)
        try makeReady(bench, capabilities: #"{"tools":{}}"#)
        #expect(bench.link.messages.map(\.methodName) == [.serverDiscover])
    }

    @Test("another resource makes another subscription; when it is acknowledged the old one is taken back")
    func resources() throws {
        let bench = PeerBench(era: .auto)
        try makeReady(bench)
        let first = bench.link.messages(of: .subscriptionsListen)[0]
        bench.link.acknowledge(first)
        let listened = listen(bench, ["x://1", "x://2"])
        let second = try #require(bench.link.messages(of: .subscriptionsListen).last)
        #expect(bench.link.messages(of: .subscriptionsListen).count == 2)
        #expect(
            filter(second) == #"{"toolsListChanged":true,"resourcesListChanged":true,"resourceSubscriptions":["x://1","x://2"]}"#)
        // Until then the old one counts.
        bench.link.notify("notifications/tools/list_changed", of: first)
        #expect(bench.owner.notifications.count == 1)
        #expect(listened("x://1") == nil)
        bench.link.acknowledge(second, filter: #"{"toolsListChanged":true,"resourceSubscriptions":["x://1"]}"#)
        #expect(listened("x://1") == true)
        #expect(listened("x://2") == false)
        let cancelled = try #require(bench.link.messages(of: .cancelled).last)
        #expect(cancelled.json.slice(cancelled.param("requestId")) == first.idBytes)
        // A change that both were told of is one.
        bench.link.notify("notifications/tools/list_changed", of: first)
        bench.link.notify("notifications/tools/list_changed", of: second)
        bench.link.notify("notifications/resources/updated", of: second, #","uri":"x://1""#)
        #expect(bench.owner.notifications.map(\.methodName) == [.toolsListChanged, .toolsListChanged, .resourcesUpdated])
    }

    @Test("over HTTP the old subscription stays open for a moment, and what it tells of resources counts")
    func streams() throws {
        let bench = PeerBench(era: .auto)
        try makeReady(bench)
        bench.link.needsParameterHeaders = true
        let first = bench.link.messages(of: .subscriptionsListen)[0]
        bench.link.acknowledge(first)
        _ = listen(bench, ["x://1"])
        let second = try #require(bench.link.messages(of: .subscriptionsListen).last)
        bench.link.acknowledge(second)
        _ = listen(bench, ["x://2"])
        let third = try #require(bench.link.messages(of: .subscriptionsListen).last)
        bench.link.acknowledge(third)
        #expect(bench.link.messages(of: .cancelled).isEmpty)
        // Late: it was on its way on the old stream.
        bench.link.notify("notifications/resources/updated", of: second, #","uri":"x://1""#)
        #expect(bench.owner.notifications.map(\.methodName) == [.resourcesUpdated])
        // A list is read again in any case.
        bench.link.notify("notifications/tools/list_changed", of: second)
        #expect(bench.owner.notifications.count == 1)
        #expect(bench.owner.missed.isEmpty)
        bench.loop.advanceTime(by: .milliseconds(600))
        #expect(bench.link.messages(of: .cancelled).count == 2)
        #expect(bench.owner.missed == [[.toolsListChanged, .resourcesListChanged]])
        bench.link.notify("notifications/resources/updated", of: second, #","uri":"x://1""#)
        #expect(bench.owner.notifications.count == 1)
        // Lists are not read for every subscription that comes and goes.
        for number in 3..<6 {
            _ = listen(bench, ["x://\(number)"])
            bench.link.acknowledge(try #require(bench.link.messages(of: .subscriptionsListen).last))
            bench.loop.advanceTime(by: .milliseconds(700))
        }
        #expect(bench.owner.missed.count == 1)
        bench.loop.advanceTime(by: .seconds(4))
        #expect(bench.owner.missed.count == 2)
    }

    @Test(
        "lists that changed while one subscription took the place of another over HTTP are told of, and no others",
        arguments: [true, false])
    func missed(isChanged: Bool) throws {
        let server = ScriptedServer(
            "s", capabilities: #"{"tools":{"listChanged":true},"resources":{"subscribe":true}}"#, lists: [.tools: #"{"name":"a"}"#],
            era: .modern)
        let bench = GatewayBench([server])
        server.link.needsParameterHeaders = true
        let session = try bench.session()
        let listener = try bench.listen(session)
        if isChanged { server.set(.tools, #"{"name":"b"}"#) }
        #expect(try bench.request("resources/subscribe", #"{"uri":"x://1"}"#, in: session).result == "{}")
        bench.loop.advanceTime(by: .seconds(1))
        bench.settle()
        #expect(listener.methods == (isChanged ? ["notifications/tools/list_changed"] : []))
        #expect(try bench.request("tools/list", in: session).result?.contains("s__b") == isChanged)
    }

    @Test("a resource that is listened to already is agreed on at once")
    func again() throws {
        let bench = PeerBench(era: .auto)
        try makeReady(bench)
        _ = listen(bench, ["x://1"])
        bench.link.acknowledge(try #require(bench.link.messages(of: .subscriptionsListen).last))
        #expect(listen(bench, ["x://1"])("x://1") == true)
    }

    @Test("when the last resource is given up, and no list is listened to, the subscription is taken back")
    func givenUp() throws {
        let bench = PeerBench(era: .auto)
        try makeReady(bench, capabilities: #"{"resources":{"subscribe":true}}"#)
        #expect(bench.link.messages(of: .subscriptionsListen).isEmpty)
        _ = listen(bench, ["x://1"])
        bench.link.acknowledge(bench.link.messages(of: .subscriptionsListen)[0])
        bench.peer.unsubscribe(uri: "x://1")
        bench.loop.run()
        #expect(bench.link.messages(of: .subscriptionsListen).count == 1)
        #expect(bench.link.messages(of: .cancelled).count == 1)
    }

    @Test("a server without subscriptions is not asked for any")
    func noSubscriptions() throws {
        let bench = PeerBench(era: .auto)
        try makeReady(bench, capabilities: #"{"resources":{}}"#)
        #expect(listen(bench, ["x://1"])("x://1") == false)
        #expect(bench.link.messages(of: .subscriptionsListen).isEmpty)
    }

    @Test("a subscription that ends is opened again, later each time, and lists that may have changed are told of")
    func reopened() throws {
        let bench = PeerBench(era: .auto)
        try makeReady(bench)
        let first = bench.link.messages(of: .subscriptionsListen)[0]
        bench.link.acknowledge(first)
        bench.link.answer(first, result: "{}")
        bench.loop.advanceTime(by: .milliseconds(999))
        #expect(bench.link.messages(of: .subscriptionsListen).count == 1)
        bench.loop.advanceTime(by: .milliseconds(300))
        #expect(bench.link.messages(of: .subscriptionsListen).count == 2)
        bench.link.answer(bench.link.messages(of: .subscriptionsListen)[1], code: -32603, error: "later")
        bench.loop.advanceTime(by: .milliseconds(1900))
        #expect(bench.link.messages(of: .subscriptionsListen).count == 2)
        bench.loop.advanceTime(by: .milliseconds(600))
        let third = bench.link.messages(of: .subscriptionsListen)[2]
        #expect(bench.owner.notifications.isEmpty)
        bench.link.acknowledge(third)
        #expect(bench.owner.notifications.map(\.methodName) == [.toolsListChanged, .resourcesListChanged])
    }

    @Test("a server that does not know subscriptions is not asked again")
    func unknownMethod() throws {
        let bench = PeerBench(era: .auto)
        try makeReady(bench)
        let first = bench.link.messages(of: .subscriptionsListen)[0]
        bench.link.answer(first, code: -32601, error: "Method not found")
        bench.loop.advanceTime(by: .minutes(5))
        #expect(bench.link.messages(of: .subscriptionsListen).count == 1)
        #expect(listen(bench, ["x://1"])("x://1") == false)
    }

    @Test("a restarted server is asked for the lists again; who waited for a resource is told that it is gone")
    func restarted() throws {
        let bench = PeerBench(restartsByItself: true, era: .auto)
        try makeReady(bench)
        let listened = listen(bench, ["x://1"])
        bench.link.crash()
        #expect(listened("x://1") == false)
        bench.loop.advanceTime(by: .seconds(2))
        try makeReady(bench)
        #expect(filter(bench.link.messages(of: .subscriptionsListen)[0]) == #"{"toolsListChanged":true,"resourcesListChanged":true}"#)
    }
}
