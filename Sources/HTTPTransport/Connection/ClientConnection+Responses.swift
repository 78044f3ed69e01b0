import GatewayCore
import MCPProtocol
import NIOCore
import NIOHTTP1

/// What goes out: JSON, refusals, streams.
extension ClientConnection {
    /// The JSON answer of a POST.
    func respond(json: ByteBuffer, responder: PostResponder) {
        guard self.responder === responder else { return }
        self.responder = nil
        respond(.ok, body: json)
    }

    func refuse(_ refusal: Refusal, closing: Bool, id: ByteBuffer? = nil) {
        if closing { isKeepAlive = false }
        isLingering = closing
        let isRPC = request.isUnreadable ? !beginsREST : request.route.isMCP
        respond(refusal.status, body: refusal.body(isRPC: isRPC, id: id), headers: refusal.headers)
        if closing { state = .closing }
    }

    /// Whether a header that cannot be read is that of a request for the REST API, as far as it came.
    var beginsREST: Bool { server.settings.isAPIEnabled && decoder.beginsREST }

    /// Closes so that a client that is still sending can read the answer: a close with unread bytes would reset the connection and take
    /// the answer with it. What still comes is dropped until the body ends or the time is over.
    private func lingeringClose(_ context: ChannelHandlerContext) {
        let channel = context.channel
        let timer = context.eventLoop.scheduleTask(in: Self.lingerTime) { channel.close(promise: nil) }
        channel.closeFuture.whenComplete { _ in timer.cancel() }
    }

    func respond(
        _ status: HTTPResponseStatus, body: ByteBuffer?, headers extra: [(String, String)] = [], type: String = "application/json"
    ) {
        guard let context else { return }
        var headers = HTTPHeaders()
        headers.reserveCapacity(4 + extra.count)
        if let body {
            headers.add(name: "content-type", value: type)
            headers.add(name: "content-length", value: String(body.readableBytes))
        } else if status != .noContent {
            headers.add(name: "content-length", value: "0")
        }
        for (name, value) in extra { headers.add(name: name, value: value) }
        if !isKeepAlive { headers.add(name: "connection", value: "close") }
        state = .idle
        waitingBytes = 0
        answerBegins(status, headers: &headers)
        context.write(wrapOutboundOut(.head(HTTPResponseHead(version: version, status: status, headers: headers))), promise: nil)
        if let body, request.method != .HEAD { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        finishResponse(context)
    }

    func finishResponse(_ context: ChannelHandlerContext) {
        if isKeepAlive {
            guard context.channel.isWritable else {
                // Kept back first: the flush may make room at once.
                holdEnd(wrapOutboundOut(.end(nil)), promise: nil)
                return context.flush()
            }
            answerEnds()
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        } else {
            answerEnds()
            if isLingering {
                let channel = context.channel
                // Only the sending side, so that the client knows that nothing more comes.
                context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in channel.close(mode: .output, promise: nil) }
                return lingeringClose(context)
            }
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: closing(nil, context))
        }
    }

    /// The promise of a write after which the connection closes.
    func closing(_ promise: EventLoopPromise<Void>?, _ context: ChannelHandlerContext) -> EventLoopPromise<Void> {
        let (written, channel) = (promise ?? context.eventLoop.makePromise(), context.channel)
        written.futureResult.whenComplete { _ in channel.close(promise: nil) }
        return written
    }

    /// Keeps back the end of an answer while much of it waits for the client: the next request is let in after the end, so a client that
    /// sends and never reads cannot pile up answers.
    func holdEnd(_ data: NIOAny, promise: EventLoopPromise<Void>?) {
        heldEnd = HeldEnd(data: data, promise: promise)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable, let held = heldEnd {
            heldEnd = nil
            answerEnds()
            context.writeAndFlush(held.data, promise: isKeepAlive ? held.promise : closing(held.promise, context))
        }
        if case .forwarding(let forward) = state { forward.clientIsWritable(context.channel.isWritable) }
        context.fireChannelWritabilityChanged()
    }

    /// A POST's answer became a stream.
    func attached(_ writer: SSEWriter) {
        guard case .answering = state else { return }
        responder = nil
        state = .streaming(writer)
    }

    func beginStream(first: ByteBuffer) {
        guard let context else { return }
        waitingBytes = 0
        // Without chunks the end of the connection is the end of the stream.
        if version.minor == 0 { isKeepAlive = false }
        var headers = HTTPHeaders()
        headers.add(name: "content-type", value: "text/event-stream")
        headers.add(name: "cache-control", value: "no-cache, no-transform")
        headers.add(name: "x-accel-buffering", value: "no")
        if !isKeepAlive { headers.add(name: "connection", value: "close") }
        answerBegins(.ok, headers: &headers, isStream: true)
        context.write(wrapOutboundOut(.head(HTTPResponseHead(version: version, status: .ok, headers: headers))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(first))), promise: nil)
    }

    /// Writes to the stream; false when more than `limit` bytes wait for the reader.
    func writeStream(_ bytes: ByteBuffer, limit: Int) -> Bool {
        guard let context else { return false }
        if context.channel.isWritable {
            context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
            return true
        }
        let count = bytes.readableBytes
        guard limit == .max || waitingBytes + count <= limit else { return false }
        waitingBytes += count
        let handle = handle
        context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(bytes)))).whenComplete { _ in
            handle.onLoop { connection in
                connection.waitingBytes = max(0, connection.waitingBytes - count)
                guard connection.waitingBytes == 0, let drained = connection.drained else { return }
                connection.drained = nil
                drained()
            }
        }
        return true
    }

    /// Runs `body` when nothing of the stream waits for the reader.
    func whenDrained(_ body: @escaping @Sendable () -> Void) {
        if waitingBytes == 0 { body() } else { drained = body }
    }

    /// Ends the stream's response; abruptly closes the connection, so that the client knows that there was more to come.
    func endStream(abruptly: Bool) {
        guard let context else { return }
        switch state {
        case .streaming, .serving: state = .idle
        default: return
        }
        waitingBytes = 0
        if abruptly { context.close(promise: nil) } else { finishResponse(context) }
    }
}
