enum StdioTransportPlaceholder {}
