import MCPProtocol
import NIOCore

/// `Message`: reads JSON-RPC envelopes, and what the gateway writes with their parts is a message again.
enum EnvelopeTarget {
    /// Few, so that inputs get there.
    private static let maxDepth = 16

    static func run(_ input: UnsafeRawBufferPointer) {
        let bytes = ByteBuffer(embedding: input)
        let isJSON = (try? JSONText(validating: bytes, maxDepth: maxDepth)) != nil
        do throws(MessageError) {
            check(try Message.parse(bytes, maxDepth: maxDepth))
            require(isJSON, "a message is JSON")
        } catch {
            check(error, isJSON: isJSON)
        }
        do throws(MessageError) {
            switch try Message.parsePayload(bytes, maxDepth: maxDepth) {
            case .single(let message): check(message)
            case .batch(let elements):
                require(isJSON, "a batch is JSON")
                for element in elements {
                    switch element {
                    case .success(let message): check(message)
                    case .failure(let error): check(error, isJSON: true)
                    }
                }
            }
        } catch {
            check(error, isJSON: isJSON)
        }
    }

    private static func check(_ error: MessageError, isJSON: Bool) {
        switch error {
        case .malformed(let scanError):
            require(!isJSON || scanError.reason == .duplicateKey, "JSON is not called malformed: \(scanError)")
        case .notAMessage:
            require(isJSON, "what is not JSON is called malformed")
        }
        json(error.rpcError.response(id: error.id), "the answer to what is no message")
    }

    private static func check(_ message: Message) {
        spans(message)
        switch message.kind {
        case .request: require(message.id.isPresent && message.method.isPresent, "a request has id and method")
        case .notification: require(!message.id.isPresent && message.method.isPresent, "a notification has a method and no id")
        case .response:
            require(message.id.isPresent && message.result.isPresent && !message.error.isPresent, "a response has id and result")
        case .errorResponse: require(message.error.isPresent && !message.result.isPresent, "an error response has an error")
        }
        require(message.method.isPresent == (message.kind == .request || message.kind == .notification), "only requests have a method")
        require(message.hasLineBreaks == message.bytes.readableBytesView.contains { $0 == 0x0A || $0 == 0x0D }, "line breaks are noticed")
        require(Method(message.methodName.name) == message.methodName, "a method keeps its name")
        if let id = message.idBytes { roundTrip(id, message) }
        rewrite(message)
        if message.method.isPresent { trace(message) }
    }

    private static func spans(_ message: Message) {
        let root = message.json.root
        for span in [message.id, message.method, message.params, message.result, message.error] where span.isPresent {
            require(span.start > root.start && span.end < root.end, "the parts of a message are inside of it")
            json(message.json.slice(span), "a part of a message")
        }
        let routing = message.routing
        let members = [
            routing.name, routing.uri, routing.meta, routing.task, routing.taskID, routing.reference, routing.requestID,
            routing.progressToken, routing.traceparent, routing.tracestate,
        ]
        for span in members where span.isPresent {
            require(span.start > message.params.start && span.end < message.params.end, "routing parameters are inside the parameters")
            json(message.json.slice(span), "a routing parameter")
        }
        if routing.progressToken.isPresent {
            require(
                routing.progressToken.start > routing.meta.start && routing.progressToken.end < routing.meta.end, "a token is inside _meta")
        }
    }

    /// What the gateway answers is for the request that the client sent.
    private static func roundTrip(_ id: ByteBuffer, _ message: Message) {
        let error = RPCError(code: .internalError, message: "m\"\\\n\u{1F600}", data: message.json.slice(message.params))
        let answer = json(error.response(id: id), "an error with the id \(id.quoted)")
        let parsed = try? Message.parse(answer.bytes, maxDepth: maxDepth + 2)
        require(parsed?.kind == .errorResponse && parsed?.idBytes == id, "an error has the id of its request: \(answer.bytes.quoted)")
        guard message.kind == .request else { return }
        let response = MessageWriter.response(id: id, result: message.json.slice(message.params) ?? ByteBuffer(string: "{}"))
        let parsedResponse = try? Message.parse(response, maxDepth: maxDepth + 2)
        require(parsedResponse?.kind == .response && parsedResponse?.idBytes == id, "a response has the id of its request")
    }

    /// Id, token and name replaced, as for an upstream: the rest stays.
    private static func rewrite(_ message: Message) {
        var splices: [Splice] = []
        if message.id.isPresent { splices.append(Splice(message.id, .integer(18_446_744_073_709_551_615))) }
        if message.routing.progressToken.isPresent { splices.append(Splice(message.routing.progressToken, .integer(7))) }
        if message.routing.name.isPresent { splices.append(Splice(message.routing.name, .string("a\"\\\u{0}é"))) }
        var line = ByteBuffer()
        line.write(message.bytes, splicing: splices)
        line.replaceLineBreaks()
        guard let again = try? Message.parse(line, maxDepth: maxDepth) else { violated("a rewritten message is a message: \(line.quoted)") }
        require(again.kind == message.kind, "a rewritten message is of the same kind")
        require(again.methodName == message.methodName, "a rewritten message has the same method")
        require(!again.hasLineBreaks, "a rewritten message is one line")
        if message.id.isPresent { require(again.idBytes == ByteBuffer(string: "18446744073709551615"), "the id is replaced") }
        if message.routing.progressToken.isPresent {
            require(again.json.unsigned(again.routing.progressToken) == 7, "the token is replaced")
        }
        if message.routing.name.isPresent { require(again.json.string(again.routing.name) == "a\"\\\u{0}é", "the name is replaced") }
    }

    /// The trace context of the HTTP request goes into a message that has none.
    private static func trace(_ message: Message) {
        if let own = TraceContext(meta: message) { require(own.traceID.utf8.count == 32, "a trace has 32 digits: \(own)") }
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        guard let context = TraceContext(traceparent: parent, tracestate: "a=\"\\b"),
            let splice = context.members(for: message).flatMap({ message.metaInsertion(of: $0) })
        else { return }
        var bytes = ByteBuffer()
        bytes.write(message.bytes, splicing: [splice])
        guard let again = try? Message.parse(bytes, maxDepth: maxDepth + 2) else {
            violated("a traced message is a message: \(bytes.quoted)")
        }
        require(again.kind == message.kind && again.methodName == message.methodName, "a traced message is of the same kind")
        require(TraceContext(meta: again)?.traceparent == parent, "the context is read where it was put: \(bytes.quoted)")
    }

    @discardableResult
    private static func json(_ bytes: ByteBuffer?, _ what: String) -> JSONText {
        guard let bytes else { violated("\(what) has bytes") }
        guard let text = try? JSONText(validating: bytes) else { violated("\(what) is JSON: \(bytes.quoted)") }
        return text
    }
}
