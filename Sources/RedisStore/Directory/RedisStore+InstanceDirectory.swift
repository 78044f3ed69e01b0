import Synchronization
import Logging
import NIOConcurrencyHelpers
public import GatewayCore
import NIOCore
import RESP

extension RedisStore: InstanceDirectory {
    public var address: String { instance.address }

    public var lease: Lease { directory.state.withLockedValue { $0.clock.lease(at: .now()) } }

    public var peers: [InstanceRecord] { directory.state.withLockedValue { $0.peers } }

    public func beginDraining() {
        directory.state.withLockedValue { $0.isDraining = true }
        beat()
    }

    public func refresh() { beat() }

    public func onReplaced(_ body: @escaping @Sendable () -> Void) {
        state.withLockedValue { $0.onReplaced = body }
        if directory.isReplaced { body() }
    }

    // MARK: Heartbeats

    /// Milliseconds.
    private static let toldJump: Int64 = 2_000

    /// Tells Redis that this instance lives. One at a time: one that waits for a connection speaks for those behind it.
    func beat() {
        let isDue = directory.state.withLockedValue { state in
            guard !state.isFrozen else { return false }
            if state.isBeating { state.mustBeatAgain = true }
            defer { state.isBeating = true }
            return !state.isBeating
        }
        guard isDue, !isClosed else { return }
        let sentAt = NIODeadline.now()
        run(heartbeat()) { [self] result in
            switch result {
            case .success(let reply): heard(reply, sentAt: sentAt)
            case .failure(let error):
                counters.missedHeartbeats.add()
                guard case .failed(let reason) = failure(error) else { break }
                let isNew = directory.state.withLockedValue { state in
                    defer { state.isRefused = true }
                    return !state.isRefused
                }
                if isNew {
                    logger.error("Redis refuses heartbeats: others will take this instance for dead", metadata: ["reason": "\(reason)"])
                }
            }
            let isDue = directory.state.withLockedValue { state in
                state.isBeating = false
                defer { state.mustBeatAgain = false }
                return state.mustBeatAgain && (try? result.get()) != nil
            }
            if isDue { beat() }
        }
    }

    func heartbeat() -> StoreCall {
        let (dataID, isDraining) = directory.state.withLockedValue { ($0.dataID, $0.isDraining) }
        return .script(
            Scripts.heartbeat, keys: [keys.cluster, keys.instance(identity.name)],
            arguments: [
                .integer(options.lease.milliseconds), .text(dataID), .text(Self.randomID()), .text(secret.stored),
                .integer(options.recoveryTime.milliseconds), .text(identity.name), .text(String(identity.incarnation)),
                .integer(options.lease.milliseconds * 20), .text(instance.address), .text(instance.version), .text(instance.colour ?? ""),
                .integer(instance.startedAt.milliseconds), isDraining ? "1" : "0", .text(String(signals.newestSent)),
            ])
    }

    /// What Redis says to a heartbeat.
    func heard(_ reply: RESPValue, sentAt: NIODeadline) {
        guard let parts = reply.elements, parts.count >= 5, let outcome = parts[0].text, let dataID = parts[1].text,
            let time = parts[4].text.flatMap({ Int64($0) })
        else {
            return logger.error("Redis answered a heartbeat with what this version does not understand")
        }
        guard outcome != "replaced" else { return replaced() }
        let now = NIODeadline.now()
        let jump = agreed.heard(time, roundTrip: now - sentAt)
        breaker.withLockedValue { $0.succeeded(at: now) }
        // It was a write.
        noteWrite()
        let peers = (parts[3].elements ?? []).compactMap { ReportedInstance($0) }
        let (regained, tellsSecret, tellsJump) = directory.state.withLockedValue { state in
            // The first time replaces that of this machine.
            let tellsJump = state.hasHeard && abs(jump) >= Self.toldJump
            state.isRefused = false
            state.hasHeard = true
            state.dataID = dataID
            let isOther = parts[2].text != "1"
            let tells = isOther && !state.hasOtherSecret
            state.hasOtherSecret = isOther
            return (state.clock.heard(sentAt: sentAt, now: now), tells, tellsJump)
        }
        // An answer that was a lease on its way tells of a time when nobody could be heard.
        let wasAway = regained || outcome == "lost" || now - sentAt >= TimeAmount(options.lease)
        directory.heard(peers.compactMap(\.record), wasAway: wasAway, now: now)
        tellUnaddressed(among: peers)
        tellTwins(among: peers, now: now)
        if tellsJump {
            logger.error(
                "the time of Redis jumped, by which sessions and events expire: keep the clocks of its machines together",
                metadata: ["milliseconds": "\(jump)"])
        }
        if regained { logger.warning("the lease had lapsed: others may have taken over sessions of this instance") }
        if tellsSecret {
            logger.error(
                """
                another instance made a new secret after Redis lost its data: session ids of the one are refused by the other; \
                restart this instance, and set cluster.secretFile
                """)
        }
        if outcome == "lost" {
            counters.lostData.add()
            logger.error("Redis came back without its data: what is at home here is written again")
        }
        signals.heard(of: peers.map { ($0.identity, $0.signal) })
        let isOpen = breaker.withLockedValue { $0.isOpen }
        let mustRecover = state.withLockedValue { state in
            if outcome == "lost" { state.lostData = true }
            return state.lostData || state.mustVerify || state.hasBacklog
        }
        guard !isOpen, !mustRecover else { return recover() }
        trust(now: sentAt)
    }

    /// Logs once for each life of an instance that nothing can be passed on to it.
    private func tellUnaddressed(among peers: [ReportedInstance]) {
        let unaddressed = peers.filter { $0.record == nil }
        let known = directory.state.withLockedValue { state in
            defer { state.unaddressed = Set(unaddressed.map(\.identity)) }
            return state.unaddressed
        }
        for peer in unaddressed where !known.contains(peer.identity) {
            logger.error(
                "an instance tells an address where no other reaches it, and is passed over: set its cluster.address",
                metadata: ["instance": "\(peer.identity.name)", "address": "\(peer.address)"])
        }
    }

    /// Logs once for each life of an instance that it tells the address of this one: what is passed on to it comes here. One that was at the address
    /// before is remembered for the time of its lease.
    private func tellTwins(among peers: [ReportedInstance], now: NIODeadline) {
        let own = try? InstanceAddress(instance.address)
        let twins = Set(peers.compactMap { $0.record.flatMap { $0.address == own ? $0.identity : nil } })
        let lasting = directory.state.withLockedValue { state in
            state.twins = state.twins.filter { twins.contains($0.key) }
            for twin in twins where state.twins[twin] == nil { state.twins[twin] = (now, false) }
            let lasting = state.twins.filter { !$0.value.isTold && now - $0.value.since > TimeAmount(options.lease) * 2 }.keys
            for twin in lasting { state.twins[twin]?.isTold = true }
            return Array(lasting)
        }
        for twin in lasting {
            logger.error(
                "another instance has the address of this one: what is for the one reaches the other; give each its own cluster.address",
                metadata: ["instance": "\(twin.name)", "address": "\(instance.address)"])
        }
    }

    /// Another process runs under the name of this instance.
    func replaced() {
        guard directory.markReplaced() else { return }
        logger.critical(
            "another process runs as this instance: this one serves nothing any more; end it, and give each its own gateway.instanceID",
            metadata: ["instance": "\(identity)"])
        state.withLockedValue { $0.onReplaced }?()
    }
}
