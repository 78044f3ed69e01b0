public import MCPHTTPClient
public import NIOCore

/// How the bridge for stdio-only clients behaves, and its bounds.
public struct BridgeConfiguration: Sendable {
    /// The gateway.
    public var client: StreamableHTTPClientConfiguration
    /// How long a request waits for a gateway that is away before it is answered with an error.
    public var waitLimit = TimeAmount.seconds(45)
    /// The wait before the gateway is tried again; doubles up to `maxRetryDelay`.
    public var initialRetryDelay = TimeAmount.milliseconds(250)
    /// The bound for the wait before the gateway is tried again.
    public var maxRetryDelay = TimeAmount.seconds(5)
    /// How long outstanding answers are awaited after the end of the input.
    public var drainLimit = TimeAmount.seconds(10)
    /// The bound for one message of the client, in bytes.
    public var maxMessageBytes = 16 * 1024 * 1024
    /// The bound for messages that wait for a gateway that is away.
    public var maxHeldMessages = 1024
    /// The bound for the bytes of those messages.
    public var maxHeldBytes = 32 * 1024 * 1024
    /// How often one request is sent again because its session was gone.
    public var maxResends = 3
    /// The bound for resource subscriptions that are remembered.
    public var maxSubscriptions = 4096

    public init(client: StreamableHTTPClientConfiguration) {
        self.client = client
    }
}
