import MCPProtocol
import NIOCore
import Testing

@testable import GatewayCore

@Suite("Which era a server is of") struct HandshakeTests {
    private static func error(_ code: Int, data: String = "null") throws -> Message {
        try Message.parse(
            ByteBuffer(string: #"{"jsonrpc":"2.0","id":1,"error":{"code":\#(code),"message":"no","data":\#(data)}}"#))
    }

    private static func result(_ result: String) throws -> Message {
        try Message.parse(ByteBuffer(string: #"{"jsonrpc":"2.0","id":1,"result":\#(result)}"#))
    }

    private static let discovery = #"{"supportedVersions":["2026-07-28"],"capabilities":{}}"#
    private static let initialization = #"{"protocolVersion":"2025-06-18","capabilities":{}}"#

    /// The verdict, in one word.
    private func text(_ verdict: Handshake.Verdict) -> String {
        switch verdict {
        case .send(.initialize): "initialize"
        case .send(.discover(let revision)): "discover \(revision.rawValue)"
        case .ready(let info): "ready \(info.revision.rawValue)"
        case .failed(let reason): "failed: \(reason)"
        case .nothing: "nothing"
        }
    }

    private func started(_ policy: EraPolicy = .auto, known: Revision.Era? = nil) -> Handshake {
        var handshake = Handshake(policy: policy, known: known)
        handshake.sent(handshake.first, as: 1)
        return handshake
    }

    @Test("the first request follows from the configuration and from what is known")
    func first() {
        #expect(Handshake(policy: .auto, known: nil).first == .discover(.v2026_07_28))
        #expect(Handshake(policy: .auto, known: .modern).first == .discover(.v2026_07_28))
        #expect(Handshake(policy: .auto, known: .legacy).first == .initialize)
        #expect(Handshake(policy: .legacy, known: .modern).first == .initialize)
        #expect(Handshake(policy: .modern, known: .legacy).first == .discover(.v2026_07_28))
    }

    @Test("a DiscoverResult makes it modern")
    func modern() throws {
        var handshake = started()
        #expect(text(handshake.answered(1, by: try Self.result(Self.discovery))) == "ready 2026-07-28")
    }

    @Test("any error that is not of the modern era leads to initialize", arguments: [-32601, -32602, -32600, -32000, 0, 12])
    func legacyErrors(code: Int) throws {
        var handshake = started()
        #expect(text(handshake.answered(1, by: try Self.error(code))) == "initialize")
        handshake.sent(.initialize, as: 2)
        #expect(text(handshake.answered(2, by: try Self.result(Self.initialization))) == "ready 2025-06-18")
    }

    @Test(
        "a result that is no DiscoverResult, or lists only older versions, leads to initialize",
        arguments: ["{}", #"{"supportedVersions":7}"#, #"{"content":[]}"#, #"{"supportedVersions":["2025-11-25"]}"#])
    func otherResults(result: String) throws {
        var handshake = started()
        #expect(text(handshake.answered(1, by: try Self.result(result))) == "initialize")
    }

    @Test("an unsupported version leads to a version that the server lists")
    func unsupported() throws {
        var handshake = started()
        let older = try Self.error(-32022, data: #"{"supported":["2025-11-25","2025-06-18"],"requested":"2026-07-28"}"#)
        #expect(text(handshake.answered(1, by: older)) == "initialize")
        handshake = started()
        let newer = try Self.error(-32022, data: #"{"supported":["2099-01-01"],"requested":"2026-07-28"}"#)
        #expect(text(handshake.answered(1, by: newer)).hasPrefix("failed: it speaks protocol versions 2099-01-01"))
    }

    @Test("a modern error without versions ends the start", arguments: [-32020, -32021])
    func modernErrors(code: Int) throws {
        var handshake = started()
        #expect(text(handshake.answered(1, by: try Self.error(code))) == "failed: it refused server/discover: no")
    }

    @Test("silence leads to initialize, and its answer decides")
    func silence() throws {
        var handshake = started()
        #expect(handshake.isProbing)
        #expect(text(handshake.probeTimedOut()) == "initialize")
        handshake.sent(.initialize, as: 2)
        #expect(!handshake.isProbing)
        #expect(text(handshake.probeTimedOut()) == "nothing")
        #expect(text(handshake.answered(2, by: try Self.result(Self.initialization))) == "ready 2025-06-18")
    }

    @Test("a modern server that is slow to start refuses initialize, and its late answer to the probe counts")
    func slowModern() throws {
        var handshake = started()
        handshake.sent(.initialize, as: 2)
        #expect(text(handshake.answered(1, by: try Self.result(Self.discovery))) == "nothing")
        #expect(text(handshake.answered(2, by: try Self.error(-32601))) == "ready 2026-07-28")
    }

    @Test("a late error of a legacy server changes nothing")
    func lateError() throws {
        var handshake = started()
        handshake.sent(.initialize, as: 2)
        #expect(text(handshake.answered(1, by: try Self.error(-32601))) == "nothing")
        #expect(text(handshake.failed(1, reason: "broken")) == "nothing")
        #expect(text(handshake.answered(2, by: try Self.error(-1))) == "failed: it refused initialize: no")
    }

    @Test("an end counts as the probe's fault while the probe is not answered")
    func ends() throws {
        var handshake = started()
        #expect(handshake.wasEndedByProbe)
        _ = handshake.answered(1, by: try Self.error(-32601))
        #expect(!handshake.wasEndedByProbe)
        #expect(!started(.legacy).wasEndedByProbe)
        #expect(!started(.modern).wasEndedByProbe)
    }

    @Test("a server that is to be modern is not asked to initialize")
    func modernOnly() throws {
        var handshake = started(.modern)
        #expect(!handshake.isProbing)
        #expect(text(handshake.answered(1, by: try Self.error(-32601))) == "failed: it refused server/discover: no")
    }

    @Test("a server that was modern before is waited for, and initialised if it has become another")
    func knownModern() throws {
        var handshake = started(.auto, known: .modern)
        #expect(!handshake.isProbing)
        #expect(text(handshake.answered(1, by: try Self.error(-32601))) == "initialize")
    }

    @Test("an answer to initialize with an unknown version, or none, ends the start")
    func badInitialize() throws {
        var handshake = started(.legacy)
        #expect(text(handshake.answered(1, by: try Self.result(#"{"protocolVersion":"2099-01-01"}"#))).contains("2099-01-01"))
        handshake = started(.legacy)
        #expect(text(handshake.failed(1, reason: "broken")) == "failed: broken")
        handshake = started(.legacy)
        #expect(text(handshake.failedWithoutID(reason: "who knows")) == "failed: who knows")
    }
}
