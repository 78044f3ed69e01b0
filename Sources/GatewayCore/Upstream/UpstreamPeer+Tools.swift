import Logging
import MCPProtocol
import NIOCore

/// What calls of a modern server's tools repeat in header fields. On the event loop.
extension UpstreamPeer {
    /// The tools that can be called over the link, which is told how: over HTTP a tool whose annotations are wrong cannot, and is left out
    /// (2026-07-28, basic/transports/streamable-http, "Schema Extension").
    func callable(_ tools: [CatalogueEntry]) -> [CatalogueEntry] {
        let core = core.value
        guard core.info?.era == .modern, let link = core.link, link.needsParameterHeaders else { return tools }
        var headers: [String: [ParameterHeader]] = [:]
        let callable = tools.filter { tool in
            guard ParameterHeader.mayStand(in: tool.json) else { return true }
            let schema = tool.json.member("inputSchema", of: tool.json.root)
            do throws(ParameterHeader.Invalid) {
                let annotations = try ParameterHeader.annotations(of: schema, in: tool.json)
                if !annotations.isEmpty { headers[tool.identifier] = annotations }
                return true
            } catch {
                logger.warning(
                    "tool left out: its header annotations are wrong",
                    metadata: ["upstream": "\(name)", "tool": "\(tool.identifier)", "reason": "\(error)"])
                return false
            }
        }
        link.setParameterHeaders(headers)
        return callable
    }
}
