import MCPProtocol

/// What calls of tools repeat in header fields, as far as the lists tell that passed through the bridge (2026-07-28,
/// basic/transports/streamable-http, "Custom Headers from Tool Parameters"). A client over stdio knows nothing of header fields.
struct ToolHeaders: Sendable {
    /// Tools that are remembered.
    private static let maxTools = 10_000

    /// By the tool's name; only of those that have some.
    private(set) var byTool: [String: [ParameterHeader]] = [:]

    /// Takes note of a result of `tools/list`; false when it says nothing new.
    mutating func note(_ answer: Message) -> Bool {
        let before = byTool
        let json = answer.json
        for tool in json.elements(of: json.member("tools", of: answer.result)) {
            guard let name = json.string(json.member("name", of: tool)) else { continue }
            let headers = (try? ParameterHeader.annotations(of: json.member("inputSchema", of: tool), in: json)) ?? []
            if headers.isEmpty {
                byTool.removeValue(forKey: name)
            } else if byTool[name] != nil || byTool.count < Self.maxTools {
                byTool[name] = headers
            }
        }
        return byTool != before
    }
}
