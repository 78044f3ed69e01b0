import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore

/// How long a list may be taken for fresh, and who may share it (2026-07-28, server/utilities/caching).
struct CacheHint: Sendable, Hashable {
    /// Milliseconds.
    var ttl: Int
    /// Not to be shown to other principals than the one that read it.
    var isPrivate: Bool

    /// Promises nothing: of a server that gives none.
    static let none = CacheHint(ttl: 0, isPrivate: true)

    /// Takes nothing from what others promise.
    static let unbounded = CacheHint(ttl: .max, isPrivate: false)

    init(ttl: Int, isPrivate: Bool) {
        self.ttl = ttl
        self.isPrivate = isPrivate
    }

    /// The hint in a list result.
    init(result: JSONSpan, in json: JSONText) {
        ttl = max(0, json.integer(json.member("ttlMs", of: result)) ?? 0)
        isPrivate = !json.equals(json.member("cacheScope", of: result), "\"public\"")
    }

    /// What holds for both together.
    func joined(_ other: CacheHint) -> CacheHint { CacheHint(ttl: min(ttl, other.ttl), isPrivate: isPrivate || other.isPrivate) }
}

/// When a list was read, and for how long it is good.
struct Freshness: Sendable {
    let hint: CacheHint
    let readAt: NIODeadline

    /// What is left of the time.
    func remaining(at now: NIODeadline) -> CacheHint {
        let age = max(0, (now - readAt).nanoseconds / 1_000_000)
        return CacheHint(ttl: max(0, hint.ttl - Int(age)), isPrivate: hint.isPrivate)
    }

    func isStale(at now: NIODeadline) -> Bool { remaining(at: now).ttl == 0 }
}

extension UpstreamHost {
    /// Whether a list has to be read again before it is shown: its time is over, and the server does not tell of changes.
    private func isStale(_ kind: CatalogueKind, at now: NIODeadline) -> Bool {
        guard isModern, let info, info.has(kind.capability), !info.has(kind.capability, "listChanged"), failure == nil else { return false }
        return catalogue.freshness[kind]?.isStale(at: now) ?? true
    }

    /// Reads a list again if its time is over; nil when there is no need. Those who ask at the same time share one reading.
    func freshen(_ kind: CatalogueKind) -> EventLoopFuture<Void>? {
        guard let main = state.withLockedValue({ $0.main }), isStale(kind, at: main.eventLoop.now) else { return nil }
        let promise = main.eventLoop.makePromise(of: Void.self)
        let running = state.withLockedValue { state -> EventLoopFuture<Void>? in
            if let running = state.freshening[kind] { return running }
            state.freshening[kind] = promise.futureResult
            return nil
        }
        if let running {
            promise.succeed()
            return running
        }
        refresh([kind], from: main).whenComplete { _ in
            self.state.withLockedValue { _ = $0.freshening.removeValue(forKey: kind) }
            promise.succeed()
        }
        return promise.futureResult
    }
}

extension Gateway {
    /// Runs `body` when the lists of the session's servers are as fresh as they say they must be; after `startupWait` with what there is. An
    /// error on the way leaves the old list in place ("Time-to-Live (TTL) Field").
    func whenFresh(_ kind: CatalogueKind, server: String?, _ body: @escaping @Sendable () -> Void) {
        let readings = hosts.filter { server == nil || $0.name == server }.compactMap { $0.freshen(kind) }
        guard !readings.isEmpty else { return body() }
        let loop = eventLoopGroup.next()
        let promise = loop.makePromise(of: Void.self)
        let timer = loop.scheduleTask(in: settings.startupWait) { promise.succeed() }
        promise.futureResult.whenComplete { _ in
            timer.cancel()
            body()
        }
        EventLoopFuture.andAllComplete(readings, on: loop).whenComplete { _ in promise.succeed() }
    }

    /// What may be promised of a list that the session sees: as much as every server promises.
    func cacheHint(of kind: CatalogueKind, for session: Session) -> CacheHint {
        let now = eventLoopGroup.next().now
        let own = session.state.withLockedValue { $0.catalogues }
        let hint = hosts(of: session).reduce(CacheHint.unbounded) { hint, host in
            let catalogue = own[host.name] ?? host.catalogue
            if host.info.map({ !$0.has(kind.capability) }) ?? false { return hint }
            return hint.joined(catalogue.freshness[kind]?.remaining(at: now) ?? .none)
        }
        // Without servers the list is the configuration's, which can change at any time.
        return hint == .unbounded ? .none : hint
    }
}
