import GatewayCore
import Logging
import MCPProtocol
import NIOCore
import NIOHTTP1

/// What is remembered of a request until it is answered.
struct CurrentRequest {
    var route = HTTPRoute.unknown
    var method = HTTPMethod.GET
    var startedAt = NIODeadline.uptimeNanoseconds(0)
    /// What the gateway calls it.
    var number: UInt64 = 0
    /// For the log.
    var session: SessionID?
    /// Who has sent it.
    var source = RequestSource.client
    /// It takes one of the places of `limits.maxConcurrentRequests`.
    var holdsPlace = false
    var hasBegun = false
    /// It could not be read at all.
    var isUnreadable = false
    /// Its last byte is here.
    var isComplete = false
    /// Status of the answer; 0 until there is one.
    var status: UInt16 = 0
    /// It has been recorded.
    var isRecorded = true
    /// The answer is complete.
    var isAnswered = false

    /// It has begun and is not over on both sides.
    var isInProgress: Bool { hasBegun && !hasEnded }
    var hasEnded: Bool { isComplete && isAnswered }

    /// What few requests have, apart, so that the others are small.
    final class Rare {
        /// What the client calls it.
        var id: RequestID?
        /// From the header.
        var trace: TraceContext?
        /// Of a web page that may read the answer.
        var origin: String?
        /// What the instance says that has passed it on.
        var claims: ForwardClaims?
    }

    private var rare: Rare?

    /// Before the first.
    init() {}

    init(begun now: NIODeadline) {
        startedAt = now
        hasBegun = true
        isRecorded = false
    }

    var id: RequestID { rare?.id ?? RequestID(number: number) }
    var trace: TraceContext? { rare?.trace }
    var origin: String? { rare?.origin }
    var claims: ForwardClaims? { rare?.claims }

    mutating func rare(_ set: (Rare) -> Void) {
        let rare = self.rare ?? Rare()
        set(rare)
        self.rare = rare
    }

    var context: RequestContext { RequestContext(id: id, trace: trace) }
}

/// Counting, timing and naming requests, whoever answers them.
extension ClientConnection {
    /// What nginx calls a client that left before it was answered; no client ever sees it.
    private static let clientLeft: UInt16 = 499

    func begin(_ head: RequestHead, route: HTTPRoute) {
        request = CurrentRequest(begun: .now())
        request.route = route
        request.method = head.method
        request.number = loop.takeRequestNumber()
        if let id = head.requestID.flatMap(RequestID.init(given:)) { request.rare { $0.id = id } }
        request.session = head.apiSessionID.flatMap { SessionID($0) }
        if let traceparent = head.traceparent {
            let trace = TraceContext(traceparent: traceparent, tracestate: head.tracestate)
            request.rare { $0.trace = trace }
        }
    }

    /// For bytes that are no request.
    func beginUnreadable() {
        request = CurrentRequest(begun: .now())
        request.method = .RAW(value: "")
        request.isUnreadable = true
        request.isComplete = true
        request.number = loop.takeRequestNumber()
    }

    /// Before the head of an answer is written.
    func answerBegins(_ status: HTTPResponseStatus, headers: inout HTTPHeaders, isStream: Bool = false) {
        request.status = UInt16(clamping: status.code)
        if let origin = request.origin { CrossOrigin.allow(origin, in: &headers) }
        if request.id.isGiven || status.code >= 400 { headers.add(name: "x-request-id", value: request.id.description) }
        guard isStream else { return }
        record()
        // A stream that answers a call is work; one that listens is not.
        if case .streaming(let writer) = state, writer.stream.kind == .exchange { return }
        if case .streamingModern = state, modern?.isListening == false { return }
        if case .forwarding = state, request.method != .GET { return }
        giveBackPlace()
    }

    /// Before the end of an answer is written: with it the next request may come, inside the call that writes.
    func answerEnds() {
        request.isAnswered = true
        if !isKeepAlive { hasSaidClose = true }
        record()
        giveBackPlace()
        if request.hasEnded { becomeIdle() }
    }

    /// The request is over on both sides.
    func becomeIdle() {
        if case .passing = state { state = .idle }
        deadline.start(.idle, now: .now(), settings: server.settings)
    }

    /// The connection is gone.
    func abandonedByClient() {
        giveBackPlace()
        guard !request.isRecorded else { return }
        if request.status == 0 { request.status = Self.clientLeft }
        record()
    }

    private func giveBackPlace() {
        guard request.holdsPlace else { return }
        request.holdsPlace = false
        server.load.endRequest()
    }

    func record() {
        guard !request.isRecorded else { return }
        request.isRecorded = true
        let nanoseconds = (NIODeadline.now() - request.startedAt).nanoseconds
        loop.metrics.record(request.method, request.route, status: Int(request.status), nanoseconds: nanoseconds)
        let level: Logger.Level = request.status >= 500 && request.status != 503 ? .warning : .debug
        // Asked first: the metadata of a line that nobody writes is not worth making.
        guard server.logger.logLevel <= level else { return }
        log(level, nanoseconds: nanoseconds)
    }

    private func log(_ level: Logger.Level, nanoseconds: Int64) {
        var metadata: Logger.Metadata = [
            "request": "\(request.id)", "method": "\(request.method.rawValue.prefix(16))", "route": "\(request.route.label)",
            "status": .stringConvertible(request.status), "milliseconds": .stringConvertible(Double(nanoseconds / 10_000) / 100),
        ]
        if let trace = request.trace { metadata["trace"] = "\(trace.traceID)" }
        if let session = request.session { metadata["session"] = "\(session.shortened)" }
        server.logger.log(level: level, "request", metadata: metadata)
    }

    // MARK: Answers of the router

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .passing = state else {
            // Refused meanwhile (too slow, malformed): the answer was given.
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        switch unwrapOutboundIn(data) {
        case .head(var head):
            answerBegins(head.status, headers: &head.headers)
            if !isKeepAlive { head.headers.replaceOrAdd(name: "connection", value: "close") }
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body: context.write(data, promise: promise)
        case .end:
            if isKeepAlive, !context.channel.isWritable { return holdEnd(data, promise: promise) }
            answerEnds()
            context.write(data, promise: isKeepAlive ? promise : closing(promise, context))
        }
    }
}
