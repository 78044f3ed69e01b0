import GatewayCore
import MCPProtocol
import NIOCore
import NIOHTTP1

/// What the client POSTs. Answers go to the stream; the POST itself learns only whether its messages were taken.
extension HTTPSSEStream {
    /// POSTs that may wait for `initialize`.
    private static let maxWaiting = 64

    /// Takes the messages of a POST. From any thread.
    func receive(_ posted: PostedMessages, completion: @escaping PostedMessages.Completion) {
        onLoop {
            switch self.state {
            case .new: self.begin(posted, completion)
            case .initializing(let waiting):
                guard waiting.count < Self.maxWaiting else {
                    return self.refuse(posted, RefusedMessages(self.notInitialized), completion)
                }
                self.state = .initializing(waiting + [(posted, completion)])
            case .open: self.dispatch(posted, completion)
            case .closed: self.refuse(posted, RefusedMessages(.noStream), completion)
            }
        }
    }

    /// - Parameter refused: what the POST is answered with. Who waits for the answer to a request in it is told too, on the stream: not
    ///   every client connects the two.
    func refuse(_ posted: PostedMessages, _ refused: RefusedMessages, _ completion: PostedMessages.Completion) {
        posted.place.giveBack()
        for request in posted.payload.requests { write(refused.refusal.error.response(id: request.idBytes)) }
        completion(refused)
    }

    // MARK: initialize

    private var notInitialized: Refusal {
        Refusal(status: .badRequest, error: RPCError(code: .invalidRequest, message: "send initialize first, and wait for its answer"))
    }

    private func begin(_ posted: PostedMessages, _ completion: @escaping PostedMessages.Completion) {
        guard case .single(let message) = posted.payload, message.kind == .request else {
            return refuse(posted, RefusedMessages(notInitialized), completion)
        }
        guard message.methodName == .initialize else {
            guard message.methodName == .ping, let id = message.idBytes else {
                return refuse(posted, RefusedMessages(notInitialized, id: message.idBytes), completion)
            }
            posted.place.giveBack()
            write(MessageWriter.response(id: id, result: ByteBuffer(string: "{}")))
            return completion(nil)
        }
        state = .initializing([])
        requestBegan()
        context.gateway.createSession(message, id: id, server: server) { result in
            self.onLoop { self.initialized(result, posted, completion) }
        }
    }

    private func initialized(
        _ result: Result<(session: Session, response: ByteBuffer), SessionCreationError>, _ posted: PostedMessages,
        _ completion: PostedMessages.Completion
    ) {
        guard case .initializing(let waiting) = state else {
            // The client has gone meanwhile.
            if case .success(let (session, _)) = result { context.gateway.endSession(session) { _ in } }
            return refuse(posted, RefusedMessages(.noStream), completion)
        }
        switch result {
        case .success(let (session, response)):
            state = .open(session)
            posted.place.giveBack()
            write(response)
            session.setUnsolicitedSink(self)
            completion(nil)
        case .failure(let error):
            state = .new
            refuse(posted, RefusedMessages(Refusal(error), id: posted.payload.requests.first?.idBytes), completion)
        }
        requestEnded()
        for (posted, completion) in waiting { receive(posted, completion: completion) }
    }

    // MARK: Messages of a session

    private func dispatch(_ posted: PostedMessages, _ completion: @escaping PostedMessages.Completion) {
        // Says that the client was heard of, too.
        context.gateway.session(id) { result in
            self.onLoop {
                switch result {
                case .success(let session?) where self.isOpen: self.dispatch(posted, in: session, completion)
                case .success: self.refuse(posted, RefusedMessages(.noStream), completion)
                case .failure(let error): self.refuse(posted, RefusedMessages(.unavailable(error)), completion)
                }
            }
        }
    }

    private func dispatch(_ posted: PostedMessages, in session: Session, _ completion: PostedMessages.Completion) {
        let messages: [Message]
        do throws(RefusedMessages) {
            messages = try posted.payload.messages(revision: session.revision, settings: context.settings)
            let requests = messages.count { $0.kind == .request }
            if requests > 0, let refusal = refusal(of: requests, in: session) {
                throw RefusedMessages(refusal, id: messages.first?.idBytes)
            }
        } catch {
            return refuse(posted, error, completion)
        }
        completion(nil)
        for message in messages where message.kind != .request { context.gateway.accept(message, in: session) }
        let requests = messages.filter { $0.kind == .request }
        guard !requests.isEmpty else { return posted.place.giveBack() }
        let sink = PostedRequests(count: requests.count, stream: self, place: posted.place)
        for request in requests {
            requestBegan()
            context.gateway.handle(request, in: session, context: posted.context, sink: sink)
        }
    }

    private func refusal(of requests: Int, in session: Session) -> Refusal? {
        isLeaving ? .stopping : .busy(session, context.gateway) ?? .tooFast(session, context.gateway, count: requests)
    }
}

extension Message.Payload {
    /// The requests in it.
    fileprivate var requests: [Message] {
        switch self {
        case .single(let message): message.kind == .request ? [message] : []
        case .batch(let elements): elements.compactMap { try? $0.get() }.filter { $0.kind == .request }
        }
    }

    /// The messages, if they may come together.
    fileprivate func messages(revision: Revision, settings: HTTPTransportSettings) throws(RefusedMessages) -> [Message] {
        switch self {
        case .single(let message): [message]
        case .batch(let elements): try MessageBatch.messages(elements, revision: revision, settings: settings)
        }
    }
}
