import ArgumentParser

@main
struct MCPGateway: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mcp-gateway",
        abstract: "Serve stdio MCP servers over HTTP to many clients at once.",
        discussion: """
            Configure servers in mcp-gateway.json ({"mcpServers": {"time": {"command": "uvx", "args": ["mcp-server-time"]}}})
            or take over an existing client's file with `mcp-gateway import FILE`.
            Shell completions: mcp-gateway --generate-completion-script bash|zsh|fish
            """,
        version: GatewayVersion.current,
        subcommands: [
            ServeCommand.self, StdioCommand.self, ConnectCommand.self, ToolsCommand.self, ImportCommand.self, HealthCommand.self,
            DoctorCommand.self, NGINXConfigCommand.self,
        ],
        defaultSubcommand: ServeCommand.self)
}
