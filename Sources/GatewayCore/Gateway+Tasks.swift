import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore

/// Tasks of 2025-11-25 (basic/utilities/tasks): who runs a task is remembered per session, ids pass through.
extension Gateway {
    /// Of a call that asks for a task: the task that the answer names is the session's.
    func rememberTask(of exchange: Exchange, host: UpstreamHost) {
        let session = exchange.session
        _ = exchange.observe(transform: { response in
            let json = response.json
            let task = json.member("task", of: response.result)
            if let id = json.string(json.member("taskId", of: task)) { session.rememberTask(id, upstream: host.name) }
            return nil
        })
    }

    func forwardTask(_ exchange: Exchange) {
        guard let id = exchange.request.json.string(exchange.request.routing.taskID) else {
            return exchange.fail(.invalidParams, "\(exchange.method.name): params.taskId must be a string")
        }
        let hosts = hosts(of: exchange.session)
        if let owner = exchange.session.upstream(ofTask: id), let host = hosts.first(where: { $0.name == owner }) {
            return forward(exchange, to: host)
        }
        // A process of the session's own has no tasks but the session's.
        if hosts.count == 1, !hosts[0].isShared { return forward(exchange, to: hosts[0]) }
        exchange.fail(.unknownTask, "Unknown task: \(id)")
    }

    /// Asks every upstream that runs tasks of the session, and leaves out tasks of other sessions.
    func listTasks(_ exchange: Exchange) {
        let session = exchange.session
        let owned = session.state.withLockedValue { $0.tasks }
        let hosts = hosts(of: session).filter { host in
            host.info?.capability("tasks") != nil && (owned.values.contains(host.name) || !host.isShared)
        }
        let loop = eventLoopGroup.next()
        let reads = hosts.map { host -> EventLoopFuture<[ByteBuffer]> in
            let asked = host.withPeer(for: session) { $0.request(method: MCPProtocol.Method.tasksList.name, params: nil) }
            guard case .success(let response) = asked else { return loop.makeSucceededFuture([]) }
            let isOwn = !host.isShared
            return response.map { response in
                let json = response.json
                return json.elements(of: json.member("tasks", of: response.result)).compactMap { span in
                    guard let id = json.string(json.member("taskId", of: span)), isOwn || owned[id] != nil else { return nil }
                    return json.slice(span)
                }
            }
        }
        EventLoopFuture.whenAllComplete(reads, on: loop).whenSuccess { results in
            var result = ByteBuffer(string: "{\"tasks\":[")
            for (index, task) in results.flatMap({ (try? $0.get()) ?? [] }).enumerated() {
                if index > 0 { result.writeStaticString(",") }
                result.writeImmutableBuffer(task)
            }
            result.writeStaticString("]}")
            exchange.succeed(result)
        }
    }
}
