import NIOConcurrencyHelpers
import NIOCore

/// The servers behind the gateway.
extension Gateway {
    var hosts: [UpstreamHost] { state.withLockedValue { $0.hosts } }

    /// The built-in tools as a server's.
    var builtinCatalogue: UpstreamCatalogue { state.withLockedValue { $0.builtinCatalogue } }

    func host(named name: String) -> UpstreamHost? { state.withLockedValue { $0.hostsByName[name] } }

    func builtin(named name: String) -> (any BuiltinTool)? { state.withLockedValue { $0.builtins[name] } }

    /// The upstreams a session may use.
    func hosts(of session: Session) -> [UpstreamHost] {
        state.withLockedValue { state in
            guard let server = session.server else { return state.hosts }
            return state.hostsByName[server].map { [$0] } ?? []
        }
    }

    /// Whether `/servers/<name>/mcp` exists.
    public func hasServer(_ name: String) -> Bool {
        state.withLockedValue { $0.hostsByName[name] != nil || name == Self.builtinName && !$0.builtins.isEmpty }
    }

    /// Makes the set of upstreams what is given: starts new ones, stops those that are gone, replaces changed ones, leaves the rest alone.
    public func setUpstreams(_ definitions: [UpstreamDefinition]) {
        let (stopped, started) = state.withLockedValue { state -> ([UpstreamHost], [UpstreamHost]) in
            let old = state.hostsByName
            var started: [UpstreamHost] = []
            state.hosts = definitions.map { definition in
                if let host = old[definition.name], host.definition.fingerprint == definition.fingerprint {
                    host.adopt(definition)
                    return host
                }
                let host = UpstreamHost(definition: definition, gateway: self, replacing: old[definition.name])
                started.append(host)
                return host
            }
            state.hostsByName = Dictionary(state.hosts.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
            let kept = Set(state.hosts.map { ObjectIdentifier($0) })
            return (old.values.filter { !kept.contains(ObjectIdentifier($0)) }, started)
        }
        for host in stopped {
            for session in registry.all {
                session.state.withLockedValue { state in
                    state.peers.removeValue(forKey: host.name)
                    state.catalogues.removeValue(forKey: host.name)
                }
            }
            host.stop().whenComplete { _ in }
        }
        for host in started { host.start() }
        if !stopped.isEmpty || !started.isEmpty { catalogueChanged() }
    }

    /// The state of each upstream in the order of the configuration, for health, metrics and diagnosis.
    public var upstreamFigures: [UpstreamFigures] { hosts.map(\.figures) }

    /// Upstreams of the first configuration that are still being tried for the first time; none once `startupWait` is over.
    public var startingUpstreams: [String] {
        guard eventLoopGroup.next().now < startedAt.withLockedValue({ $0 }) + settings.startupWait else { return [] }
        return hosts.filter { !$0.isSettled }.map(\.name)
    }

    /// Runs `body` when every upstream of the session's scope has been tried, at the latest when their start-up wait is over.
    func whenSettled(server: String?, _ body: @escaping @Sendable () -> Void) {
        let unsettled = hosts.filter { (server == nil || $0.name == server) && !$0.isSettled }
        // The wait counts from when the upstream was configured, so that one that never comes delays clients of the first moments only.
        let loop = eventLoopGroup.next()
        let deadline = unsettled.map { $0.createdAt + settings.startupWait }.max() ?? loop.now
        guard deadline > loop.now else { return body() }
        let once = NIOLockedValueBox<(@Sendable () -> Void)?>(body)
        let remaining = NIOLockedValueBox(unsettled.count)
        let fire: @Sendable () -> Void = {
            once.withLockedValue { body in
                defer { body = nil }
                return body
            }?()
        }
        let timer = loop.scheduleTask(deadline: deadline) { fire() }
        for host in unsettled {
            host.whenSettled {
                let isLast = remaining.withLockedValue { count in
                    count -= 1
                    return count == 0
                }
                if isLast {
                    timer.cancel()
                    fire()
                }
            }
        }
    }
}
