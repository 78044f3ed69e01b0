import MCPHTTPClient
import MCPProtocol
import NIOCore
import Testing

@testable import StdioTransport

/// A bridge session with strings for bytes.
struct TestBridge {
    static let initialize = #"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"x":1}}"#
    static let initialized = #"{"jsonrpc":"2.0","method":"notifications/initialized"}"#

    static func initializeAnswer(id: String? = nil) -> String {
        #"{"jsonrpc":"2.0","id":\#(id.map { "\"\($0)\"" } ?? "0"),"result":{"protocolVersion":"2025-06-18"}}"#
    }

    enum Action: Equatable, CustomStringConvertible {
        case send(String, token: UInt64?)
        case write(String)
        case cancel(token: UInt64)
        case setParameterHeaders([String: [ParameterHeader]])
        case initialized(revision: String, openListeningStream: Bool)
        case scheduleRetry(attempt: Int)
        case finish

        var description: String { "\(text) \(isSend ? "sent" : isWrite ? "written" : "")" }
        var isSend: Bool { if case .send = self { true } else { false } }
        var isWrite: Bool { if case .write = self { true } else { false } }

        var text: String {
            switch self {
            case .send(let text, _), .write(let text): text
            default: ""
            }
        }

        /// The decoded string id.
        var id: String {
            guard let message = try? Message.parse(ByteBuffer(string: text)) else { return "" }
            return message.json.string(message.id) ?? ""
        }
    }

    var session = BridgeSession(
        limits: BridgeSession.Limits(
            waitLimit: .seconds(10), maxHeldMessages: 4, maxHeldBytes: 1000, maxResends: 2, maxSubscriptions: 3, gateway: "http://gateway"))

    /// Runs `body`; log lines are left out.
    mutating func map(_ body: (inout BridgeSession) -> [BridgeAction]) -> [Action] {
        body(&session).compactMap { action in
            switch action {
            case .send(let bytes, let token): .send(String(buffer: bytes), token: token)
            case .write(let bytes): .write(String(buffer: bytes))
            case .cancel(let token): .cancel(token: token)
            case .setParameterHeaders(let headers): .setParameterHeaders(headers)
            case .initialized(let revision, let opens): .initialized(revision: revision, openListeningStream: opens)
            case .scheduleRetry(let attempt): .scheduleRetry(attempt: attempt)
            case .finish: .finish
            case .log: nil
            }
        }
    }

    mutating func client(_ line: String) -> [Action] {
        map { $0.received(line: ByteBuffer(string: line), now: .uptimeNanoseconds(0)) }
    }

    mutating func gateway(_ message: String) -> [Action] {
        map { $0.received(fromGateway: ByteBuffer(string: message), now: .uptimeNanoseconds(0)) }
    }

    mutating func fail(_ token: UInt64, _ error: StreamableHTTPError) -> [Action] {
        map { $0.failed(token: token, error, now: .uptimeNanoseconds(0)) }
    }

    mutating func handshake() {
        _ = client(Self.initialize)
        _ = gateway(Self.initializeAnswer())
        _ = client(Self.initialized)
    }

    mutating func succeed(_ request: String, id: String) {
        _ = client(request)
        _ = gateway(#"{"jsonrpc":"2.0","id":\#(id),"result":{}}"#)
    }

    /// The token of the last request sent among the actions.
    func token(of actions: [Action]) -> UInt64 {
        for case .send(_, let token?) in actions.reversed() { return token }
        Issue.record("no request was sent: \(actions)")
        return 0
    }
}
