public import MCPProtocol
import NIOCore

/// Tasks of modern clients among several instances: a task runs at a server of the instance that got the call, and whoever asks about it may
/// ask any. (Tasks of sessions are where their sessions are at home.)
extension Gateway {
    /// Notes the task that a server has made of a modern client's call, if it has, for as long as a client may stay away
    /// (`sessions.timeToLive`).
    ///
    /// - Parameters:
    ///   - response: the server's own, of either era.
    ///   - body: runs when the others find the task, at any of which the client may ask for it next. On any thread.
    func noteTask(in response: Message, of server: String, then body: @escaping @Sendable () -> Void) {
        guard let cluster, response.kind == .response else { return body() }
        let json = response.json
        let isTask = json.equals(json.member("resultType", of: response.result), "\"task\"")
        let task = isTask ? response.result : json.member("task", of: response.result)
        guard let id = json.string(json.member("taskId", of: task)) else { return body() }
        cluster.ownership.rememberTask(Self.taskKey(server: server, id: id), lifetime: settings.sessionTTL, completion: body)
    }

    /// Whether a modern request is about a task that another instance may run.
    public func concernsTask(_ request: Message) -> Bool {
        guard cluster != nil else { return false }
        switch request.methodName {
        case .tasksGet, .tasksUpdate, .tasksCancel: return true
        case .subscriptionsListen: return taskListenedTo(in: request) != nil
        default: return false
        }
    }

    /// The first task that a `subscriptions/listen` is about: it is listened to where that one runs. Of tasks that run at several instances only
    /// those of one are heard of.
    private func taskListenedTo(in request: Message) -> String? {
        let json = request.json
        var first: String?
        json.forEachElement(of: json.member("taskIds", of: request.param("notifications"))) { element in
            first = json.string(element)
            return false
        }
        return first
    }

    /// The other instance that runs the task which a modern request is about; nil when it is this one, gone or unknown.
    ///
    /// - Parameters:
    ///   - server: the one server of the endpoint; nil for all.
    ///   - completion: on any thread.
    public func findOwner(
        ofTaskIn request: Message, server: String?, tried: TriedInstances, completion: @escaping @Sendable (InstanceRecord?) -> Void
    ) {
        guard let cluster, let name = request.json.string(request.routing.taskID) ?? taskListenedTo(in: request),
            let key = taskKey(name, server: server)
        else {
            return completion(nil)
        }
        cluster.ownership.owner(ofTask: key) { result in
            guard case .success(let owner?) = result, owner.identity != cluster.directory.identity, !tried.contains(owner) else {
                return completion(nil)
            }
            completion(owner)
        }
    }

    private func taskKey(_ name: String, server: String?) -> String? {
        if let server { return Self.taskKey(server: server, id: name) }
        guard let separator = name.utf8.firstSeparator else { return nil }
        return Self.taskKey(server: String(name[..<separator.lowerBound]), id: String(name[separator.upperBound...]))
    }

    private static func taskKey(server: String, id: String) -> String { "\(server)/\(id)" }
}
