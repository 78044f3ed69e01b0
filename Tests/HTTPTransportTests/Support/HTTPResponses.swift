/// What a connection has received, and how responses and events are taken out of it.
struct ReceivedBytes: Sendable, CustomStringConvertible {
    var bytes: [UInt8] = []
    var isClosed = false
    /// The body of a chunked response, without the framing.
    private var decoded: [UInt8] = []
    private var bodyHasEnded = false

    var description: String {
        "\(isClosed ? "closed, " : "")\(bytes.count) bytes \(text(bytes.prefix(300))), decoded \(text(decoded.prefix(300)))"
    }

    /// The head of the next response.
    mutating func takeHead() -> ResponseHead? {
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        let lines = text(bytes[..<end.lowerBound]).split(separator: "\r\n", omittingEmptySubsequences: false)
        bytes.removeSubrange(..<end.upperBound)
        decoded = []
        bodyHasEnded = false
        let status = lines.first.flatMap { Int($0.split(separator: " ").dropFirst().first ?? "") } ?? 0
        let fields = lines.dropFirst().compactMap { line -> (String, String)? in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            return (line[..<colon].lowercased(), line[line.index(after: colon)...].drop { $0 == " " }.description)
        }
        return ResponseHead(status: status, fields: Dictionary(fields, uniquingKeysWith: { $0 + ", " + $1 }))
    }

    /// The whole body that belongs to `head`.
    mutating func takeBody(of head: ResponseHead) -> String? {
        if head["transfer-encoding"] == "chunked" {
            decodeChunks()
            guard bodyHasEnded else { return nil }
            return text(decoded)
        }
        if head.status == 204 || head.status == 100 { return "" }
        guard let length = head["content-length"].flatMap({ Int($0) }) else { return isClosed ? text(bytes) : nil }
        guard bytes.count >= length else { return nil }
        defer { bytes.removeFirst(length) }
        return text(bytes[..<length])
    }

    /// The next event of a streamed body.
    mutating func takeEvent() -> ServerSentEvent.Next? {
        decodeChunks()
        if let end = decoded.firstRange(of: Array("\n\n".utf8)) {
            defer { decoded.removeSubrange(..<end.upperBound) }
            return .event(ServerSentEvent(text(decoded[..<end.lowerBound])))
        }
        if bodyHasEnded { return .ended }
        return isClosed ? .broken : nil
    }

    private mutating func decodeChunks() {
        while !bodyHasEnded, let lineEnd = bytes.firstRange(of: Array("\r\n".utf8)) {
            guard let size = Int(text(bytes[..<lineEnd.lowerBound]), radix: 16), bytes.count >= lineEnd.upperBound + size + 2 else {
                return
            }
            decoded += bytes[lineEnd.upperBound..<lineEnd.upperBound + size]
            bytes.removeSubrange(..<(lineEnd.upperBound + size + 2))
            bodyHasEnded = size == 0
        }
    }

    private func text(_ bytes: some Sequence<UInt8>) -> String { String(decoding: Array(bytes), as: UTF8.self) }
}

struct ResponseHead: Sendable {
    let status: Int
    /// By lower-case name.
    let fields: [String: String]

    subscript(name: String) -> String? { fields[name] }
}

struct Response: Sendable {
    let head: ResponseHead
    let body: String

    var status: Int { head.status }
}

/// One block of an event stream.
struct ServerSentEvent: Sendable, Equatable {
    enum Next: Sendable, Equatable {
        case event(ServerSentEvent)
        /// The response is complete.
        case ended
        /// The connection closed before that.
        case broken
    }

    var id: String?
    var name: String?
    var data: String?
    var retry: Int?
    var comment: String?

    init(_ block: String) {
        for line in block.split(separator: "\n") {
            if line.hasPrefix(":") {
                comment = line.dropFirst().trimmingPrefix(" ").description
                continue
            }
            let value = line.drop { $0 != ":" }.dropFirst().trimmingPrefix(" ").description
            switch line.prefix(while: { $0 != ":" }) {
            case "id": id = value
            case "event": name = value
            case "data": data = value
            case "retry": retry = Int(value)
            default: break
            }
        }
    }

    /// The part of the id after the dot.
    var sequence: Int? { id.flatMap { $0.split(separator: ".").last }.flatMap { Int($0) } }
    /// It carries a message.
    var isMessage: Bool { data?.isEmpty == false }
}
