import Logging
import MCPProtocol
import NIOCore

/// A task and the server that runs it: what it is asked, whichever era it is of.
struct TaskOwner: Sendable {
    let host: UpstreamHost
    /// Whose conversation with the server the task belongs to, and who asks.
    let session: Session
    /// The server's own id of it.
    let id: String

    /// What names a task in this process.
    struct Key: Hashable, Sendable {
        let server: String
        let id: String
    }

    var key: Key { Key(server: host.name, id: id) }

    /// Sends a request about the task.
    ///
    /// - Parameter members: raw members (`"key":value,…`) of `params` besides `taskId`.
    /// - Returns: the server's answer, an error of its own included; fails with ``ExchangeFailure`` when there is none.
    func ask(_ method: MCPProtocol.Method, _ members: ByteBuffer? = nil) -> EventLoopFuture<Message> {
        let promise = host.gateway.eventLoopGroup.next().makePromise(of: Message.self)
        var params = ByteBuffer(string: "{\"taskId\":")
        params.writeJSONString(id)
        if let members {
            params.writeStaticString(",")
            params.writeImmutableBuffer(members)
        }
        params.writeStaticString("}")
        do throws(MessageError) {
            let message = try Message.parse(MessageWriter.request(id: 0, method: method.name, params: params))
            var request = UpstreamRequest(message: message, splices: [], progressToken: .absent, timeout: host.definition.callTimeout)
            request.origin = session.isModern ? .gateway : .legacy(session)
            request.declaresTasks = true
            let sent = host.withPeer(for: session) { [request] in $0.send(request, handler: TaskRequest(promise: promise)) }
            if case .failure(let failure) = sent { promise.fail(failure) }
        } catch {
            promise.fail(ExchangeFailure(.internalError, error.description))
        }
        return promise.futureResult
    }

    /// What the task has come to; fails with ``ExchangeFailure``.
    ///
    /// - Parameter isDetailed: with the result or the error of one that is over, for which a legacy server is asked once more.
    func state(isDetailed: Bool) -> EventLoopFuture<TaskState> {
        let era: Revision.Era = host.isModern ? .modern : .legacy
        let read = ask(.tasksGet).flatMapThrowing { response in
            let result = try result(of: response)
            guard let state = TaskState(result, in: response.json, era: era) else {
                throw ExchangeFailure(
                    .upstreamBroken, "upstream \"\(host.name)\" answered \(MCPProtocol.Method.tasksGet.name) with no task")
            }
            return state
        }
        guard era == .legacy, isDetailed else { return read }
        return read.flatMap { state in
            guard state.status == .completed || state.status == .failed else { return read.eventLoop.makeSucceededFuture(state) }
            return ask(.tasksResult).map { state.ended(with: $0) }
        }
    }

    /// Raw `result` of an answer.
    ///
    /// - Throws: ``ExchangeFailure`` that says the same as an error of the server's.
    func result(of response: Message) throws -> JSONSpan {
        guard response.kind == .errorResponse else { return response.result }
        let json = response.json
        let code = json.integer(json.member("code", of: response.error)) ?? RPCError.Code.internalError.rawValue
        throw ExchangeFailure(
            .answered(code: code), response.errorText, data: json.slice(json.member("data", of: response.error)))
    }

    /// Takes the task back as far as the server lets it be; the answer does not matter to anybody.
    func abandon() {
        ask(.tasksCancel).whenFailure {
            host.logger.info("task not cancelled", metadata: ["upstream": "\(host.name)", "error": "\($0)"])
        }
    }
}

extension TaskState {
    /// The same with what `tasks/result` of 2025-11-25 says: what the call would have been answered. A tool's own error is a result, and the
    /// task a completed one, to the modern era (SEP-2663, "Task Status").
    func ended(with response: Message) -> TaskState {
        var state = self
        if response.kind == .response {
            state.status = .completed
            state.result = response.json.slice(response.result)
        } else {
            state.status = .failed
            state.error = response.json.slice(response.error)
            if state.statusMessage == nil {
                state.statusMessage = response.json.slice(response.json.member("message", of: response.error))
            }
        }
        return state
    }
}

extension UpstreamHost {
    /// Whether its server runs calls of tools as tasks: those of 2025-11-25, or of the extension.
    var hasTasks: Bool {
        guard let info else { return false }
        let json = info.initializeResult
        guard info.era == .legacy else { return TasksExtension.isDeclared(in: info.capabilities, of: json) }
        let requests = json.member("requests", of: json.member("tasks", of: info.capabilities))
        return json.member("call", of: json.member("tools", of: requests)).isPresent
    }
}

extension Session {
    /// Whether a modern client declared the extension with its request.
    var declaresTasks: Bool {
        guard let json = try? JSONText(validating: initializeParams) else { return false }
        return TasksExtension.isDeclared(in: json.member("capabilities", of: json.root), of: json)
    }
}

extension Exchange {
    /// Ends with whatever kept a task from being asked.
    func fail(_ error: any Error) {
        fail(error as? ExchangeFailure ?? ExchangeFailure(.internalError, "\(error)"))
    }
}

/// A request of the gateway's own whose answer may be an error.
private final class TaskRequest: UpstreamCallHandler {
    private let promise: EventLoopPromise<Message>
    init(promise: EventLoopPromise<Message>) { self.promise = promise }
    func upstreamAccepted(call: UInt64, by peer: UpstreamPeer) {}
    func upstreamProgressed(_ notification: Message) {}
    func upstreamResponded(_ response: Message) { promise.succeed(response) }
    func upstreamFailed(_ failure: ExchangeFailure) { promise.fail(failure) }
}
