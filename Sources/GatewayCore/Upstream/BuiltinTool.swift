import MCPProtocol
public import NIOCore

/// A tool that the gateway itself offers, without an MCP server behind it.
public protocol BuiltinTool: Sendable {
    /// The name that clients call it by. Unique in the catalogue; carries no server prefix.
    var name: String { get }

    /// The `Tool` object of `tools/list` as JSON: `name`, `title`, `description`, `inputSchema`, `outputSchema`, `annotations`.
    var definition: ByteBuffer { get }

    /// Runs the tool.
    ///
    /// A failure of the tool's work is a `CallToolResult` with `isError: true`; throwing is for calls that are wrong in themselves.
    ///
    /// - Parameter arguments: the JSON object of `params.arguments`, nil when the request has none.
    /// - Returns: a `CallToolResult` object as JSON.
    /// - Throws: `BuiltinToolError`, which the caller turns into a JSON-RPC error response.
    func call(arguments: ByteBuffer?) async throws(BuiltinToolError) -> ByteBuffer
}

/// Why a built-in tool refused a call: the `error` object of the JSON-RPC response.
public struct BuiltinToolError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The JSON-RPC error code, for example -32602 for arguments that do not fit the tool's `inputSchema`.
    public let code: Int
    /// What was wrong with which value, and what the caller can do. Goes to the client as it is.
    public let message: String

    /// Makes an error from a JSON-RPC `code` and a `message` for the client.
    public init(code: Int, message: String) {
        self.code = code
        self.message = message
    }

    /// The error for arguments that do not fit the tool's `inputSchema` (-32602, "Invalid params").
    public static func invalidParams(_ message: String) -> Self { Self(code: -32602, message: message) }

    /// The error for a fault of the tool itself (-32603, "Internal error").
    public static func internalError(_ message: String) -> Self { Self(code: -32603, message: message) }

    /// What it is among the failures of an exchange.
    var failure: ExchangeFailure {
        switch RPCError.Code(rawValue: code) {
        case .invalidParams: ExchangeFailure(.invalidParams, message)
        case .internalError: ExchangeFailure(.internalError, message)
        default: ExchangeFailure(.answered(code: code), message)
        }
    }

    /// The code and the message, for logs.
    public var description: String { "\(message) (\(code))" }
}
