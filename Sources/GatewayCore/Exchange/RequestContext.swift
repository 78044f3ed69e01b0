public import MCPProtocol

/// What is known of a request besides its message: how logs name it and which trace it belongs to.
public struct RequestContext: Sendable {
    /// Names the request in logs; nil where there is no transport that numbers requests (stdio).
    public let id: RequestID?
    /// From the header of the HTTP request; a message's own `_meta` is stronger.
    public let trace: TraceContext?

    public init(id: RequestID?, trace: TraceContext?) {
        self.id = id
        self.trace = trace
    }

    /// Of a request without a transport that knows more.
    public static let none = RequestContext(id: nil, trace: nil)
}

/// Names one HTTP request in logs: what the client called it (`X-Request-ID`), or a number that is made text only when it is written.
public struct RequestID: Sendable, CustomStringConvertible {
    private enum Form: Sendable {
        case given(String)
        case number(UInt64)
    }

    private let form: Form

    /// A request that the client did not name.
    public init(number: UInt64) { form = .number(number) }

    /// A client's `X-Request-ID`; nil unless it has 1 – 128 characters of `A-Z a-z 0-9 . _ : + / = -`, so that it can stand in any log.
    public init?(given text: String) {
        guard !text.isEmpty, text.utf8.count <= 128, text.utf8.allSatisfy(Self.isAllowed) else { return nil }
        form = .given(text)
    }

    /// Whether the client named the request.
    public var isGiven: Bool {
        if case .given = form { true } else { false }
    }

    public var description: String {
        switch form {
        case .given(let text): text
        case .number(let number): "\(Self.processTag)-\(String(number, radix: 36))"
        }
    }

    /// Tells the numbers of this process from those of another.
    private static let processTag = String(UInt32.random(in: .min ... .max), radix: 36)

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: ":"),
            UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "="):
            true
        default: false
        }
    }
}
