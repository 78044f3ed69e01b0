import MCPProtocol
import NIOCore
import NIOEmbedded
import Testing

@testable import GatewayCore

@Suite struct GatewayResourceTests {
    private static let subscribing = #"{"resources":{"subscribe":true,"listChanged":true}}"#

    private func server(_ name: String, resources: [String] = [], templates: [String] = []) -> ScriptedServer {
        ScriptedServer(
            name, capabilities: Self.subscribing,
            lists: [
                .resources: resources.map { "{\"uri\":\"\($0)\",\"name\":\"n\"}" }.joined(separator: ","),
                .resourceTemplates: templates.map { "{\"uriTemplate\":\"\($0)\",\"name\":\"n\"}" }.joined(separator: ","),
            ])
    }

    private func updated(_ uri: String) -> String {
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":\"\(uri)\"}}"
    }

    @Test("A resource is read from the server that lists it, or whose template it fits")
    func routing() throws {
        let (a, b) = (server("a", resources: ["x:1"]), server("b", templates: ["y:{id}"]))
        let bench = GatewayBench([a, b])
        let session = try bench.session()
        _ = try bench.request("resources/read", #"{"uri":"y:7"}"#, in: session)
        _ = try bench.request("resources/read", #"{"uri":"x:1"}"#, in: session)
        #expect(a.link.messages(of: .resourcesRead).map { $0.json.string($0.param("uri")) } == ["x:1"])
        #expect(b.link.messages(of: .resourcesRead).map { $0.json.string($0.param("uri")) } == ["y:7"])
    }

    @Test("A resource that nobody lists is asked for in turn until a server knows it")
    func fallback() throws {
        let (a, b, c) = (server("a"), server("b"), server("c"))
        let bench = GatewayBench([a, b, c])
        let sink = try bench.request("resources/read", #"{"uri":"z:1"}"#, in: try bench.session())
        a.link.answer(try #require(a.link.messages(of: .resourcesRead).first), code: -32002, error: "not mine")
        #expect(!sink.isOver)
        b.link.answer(try #require(b.link.messages(of: .resourcesRead).first), result: #"{"contents":[]}"#)
        #expect(sink.texts == [#"{"jsonrpc":"2.0","id":1,"result":{"contents":[]}}"#])
        #expect(c.link.messages(of: .resourcesRead).isEmpty)
    }

    @Test("When no server knows it the last one's error is the answer; a crash on the way is passed over")
    func fallbackFails() throws {
        let (a, b) = (server("a"), server("b"))
        let bench = GatewayBench([a, b])
        let sink = try bench.request("resources/read", #"{"uri":"z:1"}"#, in: try bench.session())
        a.link.crash()
        #expect(!sink.isOver)
        b.link.answer(try #require(b.link.messages(of: .resourcesRead).first), code: -32002, error: "not mine")
        #expect(sink.errorCode == -32002)
        #expect(sink.finals == 1)
    }

    @Test("Without servers, or without a URI, reading is an error")
    func errors() throws {
        let bench = GatewayBench()
        let session = try bench.session()
        #expect(try bench.request("resources/read", #"{"uri":"z:1"}"#, in: session).errorCode == -32002)
        for method in ["resources/read", "resources/subscribe", "resources/unsubscribe"] {
            #expect(try bench.request(method, in: session).errorCode == -32602)
            #expect(try bench.request(method, #"{"uri":1}"#, in: session).errorCode == -32602)
        }
    }

    @Test("Updates reach exactly the sessions that subscribed; the server is unsubscribed with the last of them")
    func sharedSubscriptions() throws {
        let a = server("a", resources: ["x:1", "x:2"])
        let bench = GatewayBench([a])
        let sessions = try (0..<3).map { _ in try bench.session() }
        let subscribers = try sessions.map { try bench.listen($0) }
        for session in sessions.prefix(2) {
            let sink = try bench.request("resources/subscribe", #"{"uri":"x:1"}"#, in: session)
            a.link.answer(try #require(a.link.messages(of: .resourcesSubscribe).last), result: "{}")
            #expect(sink.result == "{}")
        }
        a.link.receive(updated("x:1"))
        a.link.receive(updated("x:2"))
        bench.settle()
        #expect(subscribers.map(\.texts) == [[updated("x:1")], [updated("x:1")], []])
        #expect(try bench.request("resources/unsubscribe", #"{"uri":"x:1"}"#, in: sessions[0]).result == "{}")
        #expect(a.link.messages(of: .resourcesUnsubscribe).isEmpty)
        a.link.receive(updated("x:1"))
        bench.settle()
        #expect(subscribers.map(\.events.count) == [1, 2, 0])
        let last = try bench.request("resources/unsubscribe", #"{"uri":"x:1"}"#, in: sessions[1])
        a.link.answer(try #require(a.link.messages(of: .resourcesUnsubscribe).first), result: "{}")
        #expect(last.result == "{}")
        #expect(bench.stores.record(sessions[1].id)?.attributes.keys.contains { $0.subscribedURI != nil } == false)
    }

    @Test("A server that was restarted is subscribed again, once per URI")
    func renewed() throws {
        let a = server("a", resources: ["x:1"])
        let bench = GatewayBench([a])
        for _ in 0..<2 { _ = try bench.request("resources/subscribe", #"{"uri":"x:1"}"#, in: try bench.session()) }
        for message in a.link.messages(of: .resourcesSubscribe) { a.link.answer(message, result: "{}") }
        a.link.crash()
        bench.loop.advanceTime(by: .seconds(1))
        bench.settle()
        #expect(a.factory.links.count == 2)
        #expect(a.link.messages(of: .resourcesSubscribe).map { $0.json.string($0.param("uri")) } == ["x:1"])
    }

    @Test("An update of a resource below a subscribed one is told, of one beside it is not")
    func subResources() throws {
        let a = server("a", resources: ["file:///a"])
        let bench = GatewayBench([a])
        let session = try bench.session()
        let subscriber = try bench.listen(session)
        _ = try bench.request("resources/subscribe", #"{"uri":"file:///a"}"#, in: session)
        a.link.receive(updated("file:///a/b"))
        bench.settle()
        #expect(subscriber.events.count == 1)
        a.link.receive(updated("file:///abc"))
        bench.settle()
        #expect(subscriber.events.count == 1)
    }

    @Test("A subscription that the server refuses is not remembered")
    func refused() throws {
        let a = server("a", resources: ["x:1"])
        let bench = GatewayBench([a])
        let session = try bench.session()
        let sink = try bench.request("resources/subscribe", #"{"uri":"x:1"}"#, in: session)
        a.link.answer(try #require(a.link.messages(of: .resourcesSubscribe).first), code: -32602, error: "no")
        bench.settle()
        #expect(sink.errorCode == -32602)
        #expect(!session.isSubscribed(to: "x:1"))
    }

    @Test("A session has no more subscriptions than the bound")
    func bound() throws {
        let a = server("a", resources: ["x:1", "x:2"])
        let bench = GatewayBench([a]) { $0.maxRememberedPerSession = 1 }
        let session = try bench.session()
        #expect(try !bench.request("resources/subscribe", #"{"uri":"x:1"}"#, in: session).isOver)
        #expect(try bench.request("resources/subscribe", #"{"uri":"x:2"}"#, id: "2", in: session).errorCode == -32603)
    }
}
