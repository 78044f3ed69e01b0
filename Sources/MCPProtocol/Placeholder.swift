enum MCPProtocolPlaceholder {}
