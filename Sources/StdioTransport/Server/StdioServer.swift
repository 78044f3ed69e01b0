public import GatewayCore
public import Logging
public import NIOCore
import NIOPosix

/// Serves one client over standard input and output: one JSON-RPC message per line (basic/transports, stdio).
///
/// The client may be of either era, or of both at once: a request that carries the `_meta` of 2026-07-28 stands for itself, `initialize` opens
/// the one session of the process (2026-07-28, basic/versioning, "Backward Compatibility").
public final class StdioServer: Sendable {
    private let gateway: Gateway
    private let maxLineBytes: Int
    private let logger: Logger

    /// - Parameter maxLineBytes: a longer line ends the connection.
    public init(gateway: Gateway, maxLineBytes: Int, logger: Logger) {
        self.gateway = gateway
        self.maxLineBytes = maxLineBytes
        self.logger = logger
    }

    /// Serves until standard input ends.
    ///
    /// - Parameters:
    ///   - input: a descriptor that the server takes over.
    ///   - output: the same.
    public func run(input: CInt, output: CInt, on eventLoopGroup: any EventLoopGroup) async throws {
        let channel = try await NIOPipeBootstrap(group: eventLoopGroup)
            .channelOption(ChannelOptions.allowRemoteHalfClosure, value: true)
            .takingOwnershipOfDescriptors(input: input, output: output) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        StdioServerHandler(gateway: self.gateway, maxLineBytes: self.maxLineBytes, logger: self.logger, channel: channel))
                    return channel
                }
            }
        try await withTaskCancellationHandler {
            try await channel.closeFuture.get()
        } onCancel: {
            // In this order: who listens is told that it is over.
            self.gateway.endSubscriptions()
            channel.close(promise: nil)
        }
    }
}
