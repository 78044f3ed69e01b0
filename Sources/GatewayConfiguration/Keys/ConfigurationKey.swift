/// One key of the configuration file: the single description from which reading, messages, environment names and the check of the
/// documentation come.
struct ConfigurationKey: Sendable {
    /// How a `gateway` key gets into and out of the settings.
    struct Binding: Sendable {
        var write: @Sendable (ConfigurationValue, inout GatewaySettings) -> Void
        var read: @Sendable (GatewaySettings) -> ConfigurationValue?
    }

    /// Path below `gateway` or below `mcpServers.<name>`, such as `streams.keepAlive`.
    var path: String
    var kind: ValueKind
    /// The default as the documentation shows it.
    var defaultText: String
    /// What it is for and what happens at the limit.
    var summary: String
    /// Variables of other products' conventions that set it too; weaker than `MCP_GATEWAY_…`.
    var otherVariables: [String] = []
    /// `nil` for keys of servers, which `ServerReader` puts together.
    var binding: Binding?

    /// `streams.keepAlive` → `MCP_GATEWAY_STREAMS_KEEP_ALIVE`.
    var environmentVariable: String {
        var name = "MCP_GATEWAY_"
        var previous: Character = "_"
        for character in path {
            if character == "." {
                name.append("_")
            } else {
                if character.isUppercase, previous.isLowercase { name.append("_") }
                name += character.uppercased()
            }
            previous = character
        }
        return name
    }

    /// Every variable that sets it, strongest first.
    var environmentVariables: [String] { [environmentVariable] + otherVariables }

    /// The last component of the path.
    var leaf: String { String(path.split(separator: ".").last ?? "") }
}
