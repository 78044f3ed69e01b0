import MCPProtocol
import NIOCore
import ServerSentEvents

/// One POST and the streams that resume it, or the listening stream: a state machine without I/O.
struct HTTPExchange: Sendable {
    enum Purpose: Sendable, Equatable {
        /// A request that waits for its response; `id` is raw JSON.
        case request(token: UInt64, id: ByteBuffer)
        /// A notification or a response of ours.
        case oneWay
        /// The GET stream for what belongs to no request.
        case listening
    }

    struct Limits: Sendable {
        var maxMessageBytes: Int
        var maxReconnectAttempts: Int
        /// How much of an error's body is kept to find a JSON-RPC error in it.
        var maxFailureBodyBytes = 1024 * 1024
        /// How much of an error's body is shown.
        var maxExcerptBytes = 512
    }

    private enum Phase: Sendable {
        case awaitingHead
        case json(ByteBuffer)
        case events(SSEParser, blocksAtLastLook: Int)
        case failure(Refusal, ByteBuffer)
        case draining
        case awaitingReconnect
        case finished
    }

    private enum Refusal: Sendable, CustomStringConvertible {
        case status(Int)
        case contentType(String)

        var description: String {
            switch self {
            case .status(let status): "HTTP status \(status)"
            case .contentType(let type): "content type \"\(type)\""
            }
        }
    }

    let purpose: Purpose
    let isInitialize: Bool
    /// A request of 2026-07-28, whose stream cannot be resumed.
    let isModern: Bool
    /// The session id that its HTTP requests carry.
    let sessionID: String?
    private let limits: Limits
    private var phase = Phase.awaitingHead
    /// Whether the HTTP request under way is a GET.
    private(set) var isGET: Bool
    private(set) var isAnswered = false
    private(set) var lastEventID: String?
    private var retryMilliseconds: Int64?
    /// Connections in a row that brought no event.
    private var fruitlessAttempts = 0

    init(purpose: Purpose, isInitialize: Bool = false, isModern: Bool = false, sessionID: String?, limits: Limits) {
        self.purpose = purpose
        self.isInitialize = isInitialize
        self.isModern = isModern
        self.sessionID = sessionID
        self.limits = limits
        self.isGET = purpose == .listening
    }

    /// The response's head came.
    mutating func head(status: Int, contentType: String?) -> [ExchangeAction] {
        guard case .awaitingHead = phase else { return [] }
        let release: [ExchangeAction] = purpose == .oneWay ? [.accepted] : []
        if status == 404, sessionID != nil, !isInitialize {
            // The server had begun to work on a request whose stream is resumed: sending it again could do it twice.
            let error = isGET ? StreamableHTTPError.connectionLost(reason: "the server ended the session meanwhile") : .sessionEnded
            return release + [.sessionEnded] + failAndDrain(error)
        }
        switch status {
        case 200..<300: return release + success(status: status, contentType: contentType)
        case _ where isGET: return refusedStream(status: status)
        default:
            phase = .failure(.status(status), ByteBuffer())
            return release
        }
    }

    private mutating func success(status: Int, contentType: String?) -> [ExchangeAction] {
        let type = (contentType ?? "").prefix { $0 != ";" }.filter { $0 != " " }.lowercased()
        switch type {
        case "text/event-stream" where status == 200:
            phase = .events(SSEParser(maxEventBytes: limits.maxMessageBytes, lastEventID: lastEventID), blocksAtLastLook: 0)
            return []
        case "application/json" where status == 200 && !isGET:
            phase = .json(ByteBuffer())
            return []
        default: break
        }
        switch purpose {
        case .oneWay:
            phase = .draining
            return [.linger]
        case .listening:
            phase = .draining
            return [.note("the server offers no listening stream: it answered GET with \(status), content type \"\(type)\""), .linger]
        case .request:
            guard status != 202, status != 204, !isGET else {
                return failAndDrain(.noResponse(excerpt: "HTTP status \(status)"))
            }
            phase = .failure(.contentType(type), ByteBuffer())
            return []
        }
    }

    private mutating func refusedStream(status: Int) -> [ExchangeAction] {
        // 409: the server has not noticed yet that our previous stream is gone.
        if status >= 500 || [408, 409, 425, 429].contains(status) {
            return [.cancelHTTP] + reconnect(orFail: .http(status: status, excerpt: ""))
        }
        guard purpose == .listening else { return failAndDrain(.http(status: status, excerpt: "the stream could not be resumed")) }
        phase = .draining
        return [.note("the server offers no listening stream: it answered GET with \(status)"), .linger]
    }

    /// Bytes of the response's body came.
    mutating func body(_ bytes: ByteBuffer) -> [ExchangeAction] {
        switch phase {
        case .json(var body):
            phase = .draining
            guard body.readableBytes + bytes.readableBytes <= limits.maxMessageBytes else {
                return [.cancelHTTP] + fail(.messageTooLarge(limit: limits.maxMessageBytes))
            }
            body.append(bytes)
            phase = .json(body)
            return []
        case .failure(let template, var body):
            phase = .draining
            let room = limits.maxFailureBodyBytes - body.readableBytes
            if room > 0, let slice = bytes.getSlice(at: bytes.readerIndex, length: min(room, bytes.readableBytes)) { body.append(slice) }
            phase = .failure(template, body)
            return []
        case .events(var parser, let seen):
            phase = .draining
            parser.append(bytes)
            return events(&parser, seen: seen)
        case .awaitingHead, .draining, .awaitingReconnect, .finished: return []
        }
    }

    private mutating func events(_ parser: inout SSEParser, seen: Int) -> [ExchangeAction] {
        var actions: [ExchangeAction] = []
        let wasAnswered = isAnswered
        do throws(SSEError) {
            while let event = try parser.next() {
                guard event.type == "message", event.data.readableBytes > 0 else { continue }
                do throws(MessageError) {
                    actions += deliver(try Message.parsePayload(event.data))
                } catch {
                    actions.append(.note("the server sent an event that is not a JSON-RPC message: \(error)"))
                }
            }
        } catch {
            // Resuming would bring the same event again.
            return actions + [.cancelHTTP] + fail(.messageTooLarge(limit: limits.maxMessageBytes))
        }
        if parser.completedBlocks > seen { fruitlessAttempts = 0 }
        lastEventID = parser.lastEventID.flatMap { Self.isHeaderValue($0) ? $0 : nil }
        retryMilliseconds = parser.retryMilliseconds ?? retryMilliseconds
        phase = .events(parser, blocksAtLastLook: parser.completedBlocks)
        if isAnswered, !wasAnswered { actions.append(.linger) }
        return actions
    }

    /// The response ended as it should.
    mutating func ended() -> [ExchangeAction] {
        switch phase {
        case .json(let body): return whole(body)
        case .failure(let template, let body): return failure(template, body)
        case .events: return streamEnded(.connectionLost(reason: "the server closed the stream"))
        case .awaitingHead: return failed(.connectionLost(reason: "the server closed the connection"))
        case .draining:
            phase = .finished
            return [.finished]
        case .awaitingReconnect, .finished: return []
        }
    }

    /// The HTTP request failed, or the connection broke.
    mutating func failed(_ error: StreamableHTTPError) -> [ExchangeAction] {
        switch phase {
        case .awaitingHead where isGET: return reconnect(orFail: error)
        case .awaitingHead, .json, .failure:
            let release: [ExchangeAction] = purpose == .oneWay ? [.accepted] : []
            return release + fail(error)
        case .events: return streamEnded(error)
        case .draining:
            phase = .finished
            return [.finished]
        case .awaitingReconnect, .finished: return []
        }
    }

    /// The wait for a reconnect is over: the GET is sent now.
    mutating func reconnecting() {
        isGET = true
        phase = .awaitingHead
    }

    /// The client is closed or the session reset: no callback will come for it.
    mutating func abandon(_ error: StreamableHTTPError) -> [ExchangeAction] {
        if case .finished = phase { return [] }
        return [.cancelHTTP] + fail(error)
    }

    // MARK: Ends

    private mutating func whole(_ body: ByteBuffer) -> [ExchangeAction] {
        var actions: [ExchangeAction] = []
        do throws(MessageError) {
            if body.readableBytes > 0 { actions = deliver(try Message.parsePayload(body)) }
        } catch {
            return fail(.malformedMessage(reason: "\(error)"))
        }
        return actions + (isAnswered ? finish() : fail(.noResponse(excerpt: excerpt(body))))
    }

    private mutating func failure(_ template: Refusal, _ body: ByteBuffer) -> [ExchangeAction] {
        guard case .request(_, let id) = purpose else {
            return [.note("the server refused a notification or response of ours: \(template): \(excerpt(body))")] + finish()
        }
        if let message = try? Message.parse(body), message.kind == .errorResponse, Self.isSameID(message.idBytes, id) {
            isAnswered = true
            return [.deliver(message.bytes)] + finish()
        }
        // A modern server may refuse a request before it has read the id (basic/transports/streamable-http, "Sending Messages").
        if isModern, let answer = Self.errorWithoutID(body, for: id) {
            isAnswered = true
            return [.deliver(answer)] + finish()
        }
        switch template {
        case .status(let status): return fail(.http(status: status, excerpt: excerpt(body)))
        case .contentType(let type): return fail(.unexpectedContentType(type))
        }
    }

    /// An error response that names no request, as the answer to the one it came for.
    private static func errorWithoutID(_ body: ByteBuffer, for id: ByteBuffer) -> ByteBuffer? {
        guard let json = try? JSONText(validating: body), let error = json.slice(json.member("error", of: json.root)),
            json.integer(json.member("code", of: json.member("error", of: json.root))) != nil
        else { return nil }
        let named = json.member("id", of: json.root)
        guard !named.isPresent || json.equals(named, "null") else { return nil }
        var answer = ByteBuffer(string: "{\"jsonrpc\":\"2.0\",\"id\":")
        answer.writeImmutableBuffer(id)
        answer.writeStaticString(",\"error\":")
        answer.writeImmutableBuffer(error)
        answer.writeStaticString("}")
        return answer
    }

    private mutating func streamEnded(_ error: StreamableHTTPError) -> [ExchangeAction] {
        switch purpose {
        case .oneWay: return finish()
        case .listening: return reconnect(orFail: error)
        case .request:
            guard !isAnswered else { return finish() }
            guard lastEventID != nil, !isModern else { return fail(error) }
            return reconnect(orFail: error)
        }
    }

    private mutating func reconnect(orFail error: StreamableHTTPError) -> [ExchangeAction] {
        if purpose != .listening, fruitlessAttempts >= limits.maxReconnectAttempts { return fail(error) }
        let attempt = fruitlessAttempts
        fruitlessAttempts += 1
        phase = .awaitingReconnect
        return [.reconnect(lastEventID: lastEventID, attempt: attempt, retryMilliseconds: retryMilliseconds)]
    }

    private mutating func fail(_ error: StreamableHTTPError) -> [ExchangeAction] {
        phase = .finished
        guard case .request(let token, _) = purpose, !isAnswered else { return [.finished] }
        isAnswered = true
        return [.fail(token: token, error), .finished]
    }

    private mutating func failAndDrain(_ error: StreamableHTTPError) -> [ExchangeAction] {
        phase = .draining
        guard case .request(let token, _) = purpose, !isAnswered else { return [.linger] }
        isAnswered = true
        return [.fail(token: token, error), .linger]
    }

    private mutating func finish() -> [ExchangeAction] {
        phase = .finished
        return [.finished]
    }

    // MARK: Messages

    private mutating func deliver(_ payload: Message.Payload) -> [ExchangeAction] {
        switch payload {
        case .single(let message):
            note(message)
            return [.deliver(message.bytes)]
        case .batch(let messages):
            var actions: [ExchangeAction] = []
            for element in messages {
                switch element {
                case .success(let message):
                    note(message)
                    actions.append(.deliver(message.bytes))
                case .failure(let error): actions.append(.note("the server sent a batch with a message that is none: \(error)"))
                }
            }
            return actions
        }
    }

    private mutating func note(_ message: Message) {
        guard case .request(_, let id) = purpose, message.kind == .response || message.kind == .errorResponse else { return }
        if Self.isSameID(message.idBytes, id) { isAnswered = true }
    }

    /// Whether two raw ids are the same; a server may write a string with other escapes than we did.
    private static func isSameID(_ left: ByteBuffer?, _ right: ByteBuffer) -> Bool {
        guard let left else { return false }
        if left == right { return true }
        guard left.readableBytesView.first == UInt8(ascii: "\""), let a = try? JSONText(validating: left),
            let b = try? JSONText(validating: right)
        else { return false }
        return a.string(a.root) != nil && a.string(a.root) == b.string(b.root)
    }

    private func excerpt(_ body: ByteBuffer) -> String {
        let bytes = body.readableBytesView.prefix(limits.maxExcerptBytes)
        let text = String(decoding: bytes, as: UTF8.self)
        let clean = String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : $0 }))
        return bytes.count < body.readableBytes ? clean + "…" : clean
    }

    private static func isHeaderValue(_ text: String) -> Bool {
        text.utf8.count <= 1024 && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }
}

extension ByteBuffer {
    /// Appends `bytes`; takes them over without a copy when empty.
    fileprivate mutating func append(_ bytes: ByteBuffer) {
        if readableBytes == 0 {
            self = bytes
        } else {
            writeImmutableBuffer(bytes)
        }
    }
}
