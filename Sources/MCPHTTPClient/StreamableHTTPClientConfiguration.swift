public import AsyncHTTPClient
public import NIOCore

/// How a ``StreamableHTTPClient`` reaches its server, and its bounds.
public struct StreamableHTTPClientConfiguration: Sendable {
    /// The MCP endpoint. Credentials in it are sent as `Authorization: Basic` and never logged.
    public var url: String
    /// Sent with every request. Headers that the transport itself sets are not taken from here.
    public var headers: [(String, String)]
    /// How long making a connection may take.
    public var connectTimeout = TimeAmount.seconds(10)
    /// How long a response head may take; nil: no bound. A server that answers with JSON sends its head only with the result.
    public var responseTimeout: TimeAmount? = .seconds(300)
    /// How long the server may take to accept a notification or a response (202). The next notification waits for it.
    public var acceptTimeout = TimeAmount.seconds(30)
    /// The bound for one message of the server, in bytes.
    public var maxMessageBytes = 16 * 1024 * 1024
    /// The bound for requests that wait for their responses, and for notifications and responses under way, each.
    public var maxInFlight = 1024
    /// How often in a row the stream of a request is resumed in vain before the request fails. The listening stream does not give up.
    public var maxReconnectAttempts = 8
    /// The wait before a stream is resumed when the server sent no `retry`.
    public var initialReconnectDelay = TimeAmount.seconds(1)
    /// The bound for the wait between attempts that fail. A longer `retry` of the server is honoured.
    public var maxReconnectDelay = TimeAmount.seconds(30)
    /// How long a stream may stay open after the response before the connection is closed.
    public var lingerAfterResponse = TimeAmount.seconds(5)
    /// Sent as `User-Agent`.
    public var userAgent = "mcp-gateway"

    public init(url: String, headers: [(String, String)] = []) {
        self.url = url
        self.headers = headers
    }

    /// The URL without credentials and query: for messages and logs.
    public var displayURL: String { Endpoint(url)?.display ?? "(invalid URL)" }

    /// Whether `url` is an HTTP URL with a host.
    public var isURLValid: Bool { Endpoint(url) != nil }

    /// What the `HTTPClient` must be configured with: redirects are not followed (they would carry credentials and session ids
    /// elsewhere), failing connections are reported at once, and every open stream may have a connection of its own.
    public var httpClientConfiguration: HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.timeout.connect = connectTimeout
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 2 * maxInFlight + 2
        return configuration
    }
}
