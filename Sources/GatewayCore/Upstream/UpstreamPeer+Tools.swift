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

    /// A server that does not find in a call's header what it expects there may have changed the tool: the tools are read again, and the call
    /// is sent once more (2026-07-28, basic/transports/streamable-http, "Client Behavior"). False when that is not the case.
    func asksForNewHeaders(_ response: Message, call: UInt64, core: UpstreamPeerCore) -> Bool {
        let json = response.json
        guard json.integer(json.member("code", of: response.error)) == RPCError.Code.headerMismatch.rawValue, let link = core.link,
            link.needsParameterHeaders, let entry = core.calls[call], entry.sentAt != nil, !entry.wasResent, let request = entry.request,
            request.message.methodName == .toolsCall
        else { return false }
        core.calls[call]?.wasResent = true
        core.calls[call]?.sentAt = nil
        CatalogueFetcher.fetch(.tools, from: self).whenComplete { result in
            let core = self.core.value
            guard case .ready = core.phase, core.calls[call] != nil else { return }
            if case .success(let tools) = result { _ = self.callable(tools.entries) }
            self.transmit(request, call: call, at: self.eventLoop.now, core: core)
            // Clients see the tool as it is now, too.
            if let changed = try? Message.parse(MessageWriter.notification(method: Method.toolsListChanged.name)) {
                core.owner?.peer(self, receivedNotification: changed)
            }
        }
        return true
    }
}
