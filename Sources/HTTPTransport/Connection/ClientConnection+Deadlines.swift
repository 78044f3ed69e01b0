import GatewayCore
import Logging
import MCPProtocol
import NIOCore
import NIOHTTP1

/// Clients that are late: slow senders, silent connections, readers that take nothing.
extension ClientConnection {
    func channelReadComplete(context: ChannelHandlerContext) {
        // Something came, and it was no part of a request that could be read: the time for the header begins.
        if !hasReadMessage, case .idle = state, deadline.reason == .idle {
            deadline.start(.header, now: .now(), settings: server.settings)
        }
        hasReadMessage = false
        context.fireChannelReadComplete()
    }

    /// Whether something has to be done about the client.
    func isLate(now: NIODeadline) -> Bool {
        guard let context else { return false }
        let pending = (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        isStalled = writeProgress.isSuspicious(pending: pending, now: now, timeout: server.settings.writeTimeout)
        return isStalled || deadline.isExpired(now: now)
    }

    func cutOff(now: NIODeadline) {
        guard let context else { return }
        if isStalled {
            let handle = handle
            SendQueue.bytes(of: context.channel).whenComplete { result in
                let inKernel = try? result.get()
                handle.onLoop { $0.cutOffReader(inKernel: inKernel ?? nil, now: now) }
            }
        }
        switch deadline.expired(now: now) {
        case nil: break
        case .idle:
            LimitHits.count(.idleTimeout)
            context.close(promise: nil)
        case .header:
            LimitHits.count(.headerTimeout)
            refuseHeader(context)
        case .body:
            LimitHits.count(.bodyTimeout)
            guard request.status == 0 else { return context.close(promise: nil) }
            refuse(.tooSlow("body", limit: "limits.bodyTimeout"), closing: true)
        }
    }

    private func cutOffReader(inKernel: Int?, now: NIODeadline) {
        guard let context, writeProgress.isStalled(inKernel: inKernel, now: now) else { return }
        LimitHits.count(.writeTimeout)
        server.logger.info("client takes nothing; disconnected", metadata: ["request": "\(request.id)"])
        context.close(promise: nil)
    }

    /// There is no request that the codec could answer, so the answer goes around it.
    private func refuseHeader(_ context: ChannelHandlerContext) {
        state = .closing
        let refusal = Refusal.tooSlow("header", limit: "limits.headerTimeout")
        beginUnreadable()
        request.status = UInt16(clamping: refusal.status.code)
        record()
        let bytes = RawResponse.bytes(
            status: "408 Request Timeout", body: refusal.body(isRPC: !beginsREST, id: nil),
            headers: [("X-Request-ID", request.id.description)])
        guard let encoder = try? context.channel.pipeline.syncOperations.context(handlerType: HTTPResponseEncoder.self) else {
            return context.close(promise: nil)
        }
        encoder.writeAndFlush(NIOAny(IOData.byteBuffer(bytes)), promise: closing(nil, context))
    }
}
