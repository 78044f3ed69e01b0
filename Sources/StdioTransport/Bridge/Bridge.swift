public import AsyncHTTPClient
public import Logging
public import NIOCore
import NIOPosix

/// Connects a client that knows only stdio to a running gateway (`mcp-gateway connect`).
///
/// Lines of JSON-RPC go from the input to the gateway, its messages to the output as lines. The client may be of either era. The bridge
/// waits for a gateway that is away, and begins a new session by itself when its own is gone.
public final class Bridge: Sendable {
    private let shell: BridgeShell
    private let eventLoop: any EventLoop

    /// - Parameters:
    ///   - httpClient: configured with the client configuration's `httpClientConfiguration`. Stays the caller's to shut down.
    ///   - eventLoop: one of the HTTP client's event loops.
    public init(configuration: BridgeConfiguration, httpClient: HTTPClient, eventLoop: any EventLoop, logger: Logger) {
        self.eventLoop = eventLoop
        self.shell = BridgeShell(configuration: configuration, httpClient: httpClient, eventLoop: eventLoop, logger: logger)
    }

    /// Runs until the input ends, the output closes or ``stop()`` is called; then waits, bounded, for outstanding answers and ends the
    /// session on the gateway.
    /// - Parameters:
    ///   - input: a descriptor to read from; stays the caller's.
    ///   - output: a descriptor to write to; stays the caller's.
    /// - Throws: `IOError` when the descriptors cannot be used.
    public func run(input: CInt, output: CInt) async throws {
        let descriptors = try PollableDescriptors(input: input, output: output, eventLoop: eventLoop)
        let shell = self.shell
        let channel = try await NIOPipeBootstrap(group: eventLoop)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(BridgeHandler(shell: shell))
                }
            }
            .takingOwnershipOfDescriptors(input: descriptors.input, output: descriptors.output)
            .get()
        try await shell.finished.get()
        try? await channel.close().get()
        try await descriptors.outputFlushed.get()
    }

    /// Ends the bridge as the end of the input does.
    public func stop() {
        eventLoop.execute { self.shell.inputEnded() }
    }
}
