import GatewayCore
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// A connection of the server: HTTP/1.1, the MCP hot path, and Hummingbird behind it once a request needs it.
struct GatewayChildChannel: ServerChildChannel, HTTPChannelHandler {
    typealias RouterChannel = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    struct Value: ServerChildChannelValue {
        let channel: any Channel
        /// Hummingbird's end of the pipeline; nil when the connection closed without needing it.
        let router: EventLoopFuture<RouterChannel?>
    }

    let server: MCPServerContext
    let responder: HTTPChannelHandler.Responder

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            let settings = server.settings
            guard server.load.openConnection() else {
                LimitHits.count(.maxConnections)
                try pipeline.addHandler(ConnectionRefusal(limit: settings.maxConnections))
                return Value(channel: channel, router: channel.closeFuture.map { nil })
            }
            let promise = channel.eventLoop.makePromise(of: RouterChannel?.self)
            channel.closeFuture.whenComplete { [server] _ in
                server.load.closeConnection()
                promise.succeed(nil)
            }
            let decoder = RequestDecoder(
                maxHeaderBytes: settings.maxHeaderBytes + (server.gateway.forwarding == nil ? 0 : ForwardedHead.addedBytes),
                maxBodyBytes: settings.maxBodyBytes)
            try pipeline.addHandlers([
                HTTPResponseEncoder(), ByteToMessageHandler(decoder), HTTPServerPipelineHandler(),
            ])
            try pipeline.addHandler(
                ClientConnection(server: server, loop: server.loopContext(for: channel.eventLoop), decoder: decoder) { channel in
                    try channel.pipeline.syncOperations.addHandler(HTTP1ToHTTPServerCodec(secure: false))
                    promise.succeed(
                        try RouterChannel(wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true)))
                })
            return Value(channel: channel, router: promise.futureResult)
        }
    }

    func handle(value: Value, logger: Logger) async {
        guard let channel = try? await value.router.get() else { return }
        await handleHTTP(asyncChannel: channel, logger: logger)
    }
}
