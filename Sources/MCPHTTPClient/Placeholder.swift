enum MCPHTTPClientPlaceholder {}
