import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import Testing

@testable import GatewayCore

@Suite("Lives of lists") struct CacheHintTests {
    private func server(_ name: String = "s", ttl: Int, scope: String = "public", capabilities: String = #"{"tools":{}}"#) -> ScriptedServer
    {
        ScriptedServer(
            name, capabilities: capabilities, lists: [.tools: #"{"name":"a"}"#], era: .modern,
            hints: #","ttlMs":\#(ttl),"cacheScope":"\#(scope)""#)
    }

    private func lists(_ server: ScriptedServer) -> Int { server.link.messages(of: .toolsList).count }

    @Test("a list that the server does not tell of is read again when its time is over and somebody asks")
    func expiry() throws {
        let server = server(ttl: 60_000)
        let bench = GatewayBench([server])
        let session = try bench.session()
        server.set(.tools, #"{"name":"b"}"#)
        #expect(try bench.request("tools/list", in: session).result == #"{"tools":[{"name":"s__a"}]}"#)
        #expect(lists(server) == 1)
        bench.loop.advanceTime(by: .seconds(61))
        #expect(lists(server) == 1)
        #expect(try bench.request("tools/list", id: "2", in: session).result == #"{"tools":[{"name":"s__b"}]}"#)
        #expect(lists(server) == 2)
    }

    @Test("a list that its server tells of is not")
    func told() throws {
        let server = server(ttl: 0, capabilities: #"{"tools":{"listChanged":true}}"#)
        let bench = GatewayBench([server])
        _ = try bench.request("tools/list", in: try bench.session())
        #expect(lists(server) == 1)
    }

    @Test("an error on the way leaves the old list")
    func failure() throws {
        let server = server(ttl: 0)
        let bench = GatewayBench([server])
        server.set(.tools, "no JSON")
        let sink = try bench.request("tools/list", in: try bench.session())
        bench.loop.advanceTime(by: .seconds(31))
        bench.settle()
        #expect(sink.result == #"{"tools":[{"name":"s__a"}]}"#)
    }

    @Test("a modern client is promised what every server promises")
    func promised() throws {
        let long = server("long", ttl: 60_000, scope: "public")
        let short = server("short", ttl: 30_000, scope: "private")
        let bench = GatewayBench([long, short])
        bench.loop.advanceTime(by: .seconds(10))
        let all = try bench.modern("tools/list").sink
        #expect(all.result("ttlMs") == "20000")
        #expect(all.text("cacheScope") == "private")
        let one = try bench.modern("tools/list", server: "long").sink
        #expect(one.result("ttlMs") == "50000")
        #expect(one.text("cacheScope") == "public")
    }

    @Test("with a legacy server among them nothing is promised")
    func legacy() throws {
        let bench = GatewayBench([server(ttl: 60_000), .tools("old", ["t"])])
        let all = try bench.modern("tools/list").sink
        #expect(all.result("ttlMs") == "0")
        #expect(all.text("cacheScope") == "private")
    }

    @Test("hints that are missing or wrong promise nothing")
    func hints() throws {
        func hint(_ result: String) throws -> CacheHint {
            let json = try JSONText(validating: ByteBuffer(string: result))
            return CacheHint(result: json.root, in: json)
        }
        #expect(try hint("{}") == .none)
        #expect(try hint(#"{"ttlMs":-5,"cacheScope":"shared"}"#) == .none)
        #expect(try hint(#"{"ttlMs":5,"cacheScope":"public"}"#) == CacheHint(ttl: 5, isPrivate: false))
    }
}
