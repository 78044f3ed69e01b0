import MCPProtocol
import NIOCore

/// Tasks of modern servers (extension io.modelcontextprotocol/tasks). Nothing is remembered: on the endpoint of all servers the id of a task
/// is `<server>__<id>`, so that any instance knows whom to ask.
extension Gateway {
    func forwardModernTask(_ exchange: Exchange) {
        let span = exchange.request.routing.taskID
        switch route(name: span, of: exchange) {
        case .host(let host, _, let splices): forward(exchange, to: host, splices: splices)
        case .unknown(let id): exchange.fail(.unknownTask, "Unknown task: \(id)")
        case .notAString:
            exchange.fail(.invalidParams, "\(exchange.method.name): params.taskId must be a string")
        }
    }

    /// The splice that puts the server's name before the id of the task that a result is about; nil where there is none, or no need.
    func taskIDSplice(in message: Message, session: Session, server: String) -> Splice? {
        guard session.server == nil else { return nil }
        let json = message.json
        let span = json.member("taskId", of: message.kind == .notification ? message.params : message.result)
        guard let id = json.string(span) else { return nil }
        return Splice(span, .string(server + CatalogueView.separator + id))
    }
}
