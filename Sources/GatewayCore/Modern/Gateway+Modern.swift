public import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore

/// Requests of the modern era (2026-07-28): each says for itself who asks.
extension Gateway {
    /// Starts the exchange for a request. Every event goes to `sink`, made for a modern client: results have their `resultType`, and the only
    /// notifications are those of the request. The events of `subscriptions/listen` are the acknowledgement, what was subscribed to, and a
    /// result when the gateway ends it.
    ///
    /// - Parameters:
    ///   - metadata: what the request says of its client.
    ///   - server: the one server of the endpoint; nil for all.
    /// - Returns: what the transport needs to take the request back.
    @discardableResult
    public func handleModern(
        _ request: Message, metadata: RequestMetadata, server: String?, context: RequestContext, sink: any ExchangeSink
    ) -> ModernExchange {
        let carried: RequestState?
        var answers: [KnownAnswer] = []
        switch retry(request, server: server, sink: sink, context: context, metadata: metadata) {
        case .taken(let exchange): return exchange
        case .carries(let state): carried = state
        case .beginsAnew(let known): (carried, answers) = (nil, known)
        }
        let session = Session(modern: metadata, server: server, gateway: self)
        let relay = ModernRelay(
            gateway: self, session: session, requestID: request.idBytes ?? ByteBuffer(string: "null"),
            progressToken: request.json.slice(request.routing.progressToken), sink: sink, answers: answers)
        let exchange = begin(request, in: session, context: context, sink: relay, carriedState: carried)
        relay.begins(exchange)
        if let level = metadata.logLevel, LogLevel(rawValue: level) == nil {
            let levels = LogLevel.allCases.map(\.rawValue).joined(separator: ", ")
            exchange.fail(.invalidParams, "params._meta: \(RequestMetadata.Key.logLevel) must be one of \(levels)")
        } else {
            routeModern(exchange)
        }
        return ModernExchange(relay: relay, attachment: 1)
    }

    /// An exchange in a session that is made for it, whose bound on requests it cannot meet.
    func begin(
        _ request: Message, in session: Session, context: RequestContext, sink: any ExchangeSink, carriedState: RequestState? = nil
    ) -> Exchange {
        let exchange = Exchange(
            session: session, request: request, method: request.methodName, context: context, sink: sink, carriedState: carriedState)
        exchangeBegan()
        _ = session.exchangeBegan(exchange)
        return exchange
    }

    private func routeModern(_ exchange: Exchange) {
        switch exchange.method {
        case .serverDiscover: discover(exchange)
        case .subscriptionsListen: listen(exchange)
        case .tasksGet, .tasksUpdate, .tasksCancel: forwardModernTask(exchange)
        // Of the legacy era only (2026-07-28, changelog).
        case .initialize, .ping, .loggingSetLevel, .resourcesSubscribe, .resourcesUnsubscribe, .tasksList, .tasksResult:
            exchange.fail(.unknownMethod, "Method not found: \(exchange.method.name)")
        default: route(exchange)
        }
    }

    // MARK: Retries with input

    /// What is done with the `requestState` of a request.
    private enum Retry {
        /// The request has gone on with its exchange, or was refused.
        case taken(ModernExchange)
        /// It is sent to a server: with the state of that server's own, if it brings one.
        case carries(RequestState?)
        /// Who worked on it is gone, and it may be worked on twice: it is, with what its client has answered.
        case beginsAnew([KnownAnswer])
    }

    /// Goes on with an exchange that waits for the input which the request brings, if there is one.
    private func retry(
        _ request: Message, server: String?, sink: any ExchangeSink, context: RequestContext, metadata: RequestMetadata
    ) -> Retry {
        let span = request.param("requestState")
        guard span.isPresent else { return .carries(nil) }
        func refuse(_ reason: String) -> Retry {
            self.parked.count(.refused)
            let session = Session(modern: metadata, server: server, gateway: self)
            begin(request, in: session, context: context, sink: sink).fail(.invalidParams, reason)
            return .taken(ModernExchange(relay: nil, attachment: 0))
        }
        guard let text = request.json.string(span) else {
            return refuse("params.requestState must be a string")
        }
        let state: RequestState
        do throws(RequestStateError) {
            state = try requestStates.open(text, digest: RequestState.digest(of: request), scope: server ?? "", now: clock.now())
        } catch {
            return refuse(error.description)
        }
        // The state of a modern server's own goes back to it when the request is sent there.
        guard case .parked(let parked) = state else { return .carries(state) }
        let json = request.json
        var responses: [(key: String, result: ByteBuffer)] = []
        json.forEachMemberSpan(of: request.param("inputResponses")) { key, value in
            // What is no result is no answer, and is asked again: a legacy server would drop it and wait.
            if json.isObject(value), let result = json.slice(value) { responses.append((json.key(key), result)) }
        }
        guard parked.owner == ownLife else {
            // Its owner is gone, and the exchange with it. What may be worked on twice begins anew.
            guard isRepeatable(request, server: server) else {
                return refuse(
                    "params.requestState is refused: the instance that worked on this request is gone, and what it did is unknown; send the request again without it if that is safe"
                )
            }
            self.parked.count(.refused)
            return .beginsAnew(parked.answered + KnownAnswer.of(responses, to: parked.asked))
        }
        let relay = self.parked.find(parked.id)
        let resumed = relay?.resume(
            attachment: parked.attachment, requestID: request.idBytes ?? ByteBuffer(string: "null"),
            progressToken: json.slice(request.routing.progressToken), responses: responses, sink: sink)
        guard let relay, let resumed else {
            return refuse(
                "params.requestState is refused: it was used before, or what it belongs to is over; send the request again without it")
        }
        return .taken(ModernExchange(relay: relay, attachment: resumed))
    }

    // MARK: server/discover

    /// What the gateway says of itself, or of the one server of the endpoint (2026-07-28, server/discover).
    private func discover(_ exchange: Exchange) {
        whenSettled(server: exchange.session.server) {
            var result = ByteBuffer(string: "{\"supportedVersions\":")
            result.writeImmutableBuffer(RequestMetadata.supportedVersions)
            result.writeStaticString(",\"capabilities\":")
            let offer = self.offer(to: exchange.session)
            result.writeImmutableBuffer(offer.capabilities)
            if let instructions = offer.instructions {
                result.writeStaticString(",\"instructions\":")
                result.writeJSONString(instructions)
            }
            result.writeStaticString("}")
            exchange.succeed(result)
        }
    }

    /// What a modern client is told of the capabilities; subscriptions and changes of lists are the gateway's own.
    private func offer(to session: Session) -> (capabilities: ByteBuffer, instructions: String?) {
        let hosts = hosts(of: session)
        let infos = hosts.compactMap(\.info)
        if session.server != nil, let info = infos.first, let own = capabilities(of: hosts[0], for: session) {
            // One server: its own words.
            return (own, info.instructions)
        }
        var capabilities = ByteBuffer(
            string: "{\"tools\":{\"listChanged\":true},\"prompts\":{\"listChanged\":true},"
                + "\"resources\":{\"listChanged\":true,\"subscribe\":true},\"completions\":{},\"logging\":{}")
        // What servers offer beyond the protocol passes through; of an extension that several have, the first one's settings are shown.
        var extensions: [(key: String, settings: ByteBuffer)] = []
        for info in infos {
            let json = info.initializeResult
            json.forEachMemberSpan(of: json.member("extensions", of: info.capabilities)) { key, value in
                let key = json.key(key)
                guard !extensions.contains(where: { $0.key == key }), let settings = json.slice(value) else { return }
                extensions.append((key, settings))
            }
        }
        let tasks = "\(TasksExtension.name)"
        if hosts.contains(where: \.hasTasks), !extensions.contains(where: { $0.key == tasks }) {
            extensions.append((tasks, ByteBuffer(string: "{}")))
        }
        if !extensions.isEmpty {
            capabilities.writeStaticString(",\"extensions\":{")
            for (index, (key, settings)) in extensions.enumerated() {
                if index > 0 { capabilities.writeStaticString(",") }
                capabilities.writeJSONString(key)
                capabilities.writeStaticString(":")
                capabilities.writeImmutableBuffer(settings)
            }
            capabilities.writeStaticString("}")
        }
        capabilities.writeStaticString("}")
        return (capabilities, joinedInstructions(of: hosts))
    }

    // MARK: Header fields

    /// The parameters that a call of a tool repeats in header fields; none for a tool that is not known.
    ///
    /// - Parameters:
    ///   - name: as the client knows the tool.
    ///   - server: the one server of the endpoint.
    public func parameterHeaders(ofTool name: String, server: String?) -> [ParameterHeader] {
        if let server { return host(named: server)?.catalogue.parameterHeaders[name] ?? [] }
        guard let separator = name.utf8.firstSeparator, let host = host(named: String(name[..<separator.lowerBound]))
        else { return [] }
        let headers = host.catalogue.parameterHeaders
        return headers.isEmpty ? [] : headers[String(name[separator.upperBound...])] ?? []
    }

    // MARK: Results

    /// A result of the gateway's own, which has none of the members that are added, for a modern client.
    func modernResult(_ result: ByteBuffer, of method: MCPProtocol.Method, hint: CacheHint = .none) -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.reserveCapacity(result.readableBytes + 160)
        bytes.writeStaticString("{\"resultType\":\"complete\"")
        if EraBridge.isCacheable(method) {
            bytes.writeString(",\"ttlMs\":\(hint.ttl),\"cacheScope\":\"\(hint.isPrivate ? "private" : "public")\"")
        }
        bytes.writeStaticString(",\"_meta\":{\"io.modelcontextprotocol/serverInfo\":")
        bytes.writeImmutableBuffer(ownInfo)
        bytes.writeStaticString("}")
        // After the brace: a comma unless the object is empty.
        var rest = result
        rest.moveReaderIndex(forwardBy: 1)
        if rest.readableBytes > 1 { bytes.writeStaticString(",") }
        bytes.writeImmutableBuffer(rest)
        return bytes
    }
}
