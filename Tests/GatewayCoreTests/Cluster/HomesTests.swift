import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import GatewayCore

@Suite("Where a session is served")
struct HomesTests {
    private typealias Cluster = ScriptedCluster
    private let cluster: ScriptedCluster
    private let bench: GatewayBench
    private let other = ScriptedCluster.instance("other")
    private let third = ScriptedCluster.instance("third")

    init() { self.init { _ in } }

    private init(_ change: (inout CoreSettings) -> Void) {
        cluster = ScriptedCluster()
        bench = GatewayBench([.tools("up", ["hold"])], cluster: cluster.services, configure: change)
    }

    private func place(
        of id: SessionID, from source: RequestSource = .client, tried: [InstanceRecord] = [], without: [InstanceRecord] = [],
        unreachable: [InstanceRecord] = []
    ) throws -> String {
        var instances = TriedInstances()
        for instance in tried { instances.add(instance.identity) }
        for instance in without { instances.add(instance.identity, isWithout: true) }
        for instance in unreachable { instances.addUnreachable(instance.identity) }
        let outcome = NIOLockedValueBox<Result<SessionPlace, StoreError>?>(nil)
        bench.gateway.locate(id, from: source, tried: instances) { result in outcome.withLockedValue { $0 = result } }
        bench.settle()
        switch try #require(outcome.withLockedValue { $0 }).get() {
        case .here(let session): return session.isStateless ? "here, stateless" : "here"
        case .elsewhere(let instance): return instance.identity.name
        case .standIn(let instance): return "\(instance.identity.name), stateless"
        case .notHere: return "not here"
        case .moving: return "moving"
        case .unknown: return "unknown"
        }
    }

    /// One that another instance made.
    private func record() -> SessionRecord {
        let now = bench.now.withLockedValue { $0 }
        return SessionRecord(
            id: SessionIDAuthority(key: GatewayBench.key).make(), clientID: "c", revision: .v2025_06_18, server: nil,
            initializeParams: ByteBuffer(string: GatewayBench.initialize()), createdAt: now, lastSeen: now)
    }

    // MARK: With the store

    @Test("one that was made here is served here, and nobody is asked")
    func here() throws {
        let session = try bench.session()
        for source in [RequestSource.client, .instance(.withStore), .instance(.withoutStore)] {
            #expect(try place(of: session.id, from: source) == "here")
        }
        #expect(cluster.claims.isEmpty)
    }

    @Test("one without a home is claimed, once, and is itself from then on")
    func claimed() throws {
        let record = record()
        cluster.answersClaims { _ in .success(.mine(record, wasMine: false)) }
        #expect(try place(of: record.id) == "here")
        #expect(try place(of: record.id) == "here")
        #expect(cluster.claims == [record.id])
        #expect(bench.gateway.registry[record.id]?.clientID == "c")
    }

    @Test("one of another instance is served there, which is remembered; what that one sent is not sent back")
    func elsewhere() throws {
        let id = record().id
        let other = other
        cluster.peers = [other]
        cluster.answersClaims { _ in .success(.elsewhere(other)) }
        for _ in 0..<3 { #expect(try place(of: id) == "other") }
        #expect(cluster.claims.count == 1)
        #expect(try place(of: id, from: .instance(.withStore)) == "other")
        #expect(cluster.claims.count == 2, "an instance's question is for the store")
        #expect(try place(of: id, tried: [other]) == "moving")
    }

    @Test("a home that is gone, or says that it is none, is forgotten")
    func forgotten() throws {
        let record = record()
        let (other, third) = (other, third)
        cluster.peers = [other, third]
        cluster.answersClaims { _ in .success(.elsewhere(other)) }
        #expect(try place(of: record.id) == "other")
        bench.gateway.homeWasWrong(of: record.id, now: "third")
        #expect(try place(of: record.id) == "third")
        bench.gateway.homeWasWrong(of: record.id, now: "nobody")
        cluster.answersClaims { _ in .success(.elsewhere(third)) }
        #expect(try place(of: record.id) == "third")
        #expect(cluster.claims.count == 2)
        // It comes back as another life.
        cluster.peers = [other, Cluster.instance("third", incarnation: 9)]
        cluster.answersClaims { _ in .success(.mine(record, wasMine: false)) }
        #expect(try place(of: record.id) == "here")
    }

    @Test("none is looked for whose id is forged, and none is found that ended or expired")
    func unknown() throws {
        let forged = try #require(SessionID("9a4b8c7d-0000-4000-8000-000000000000"))
        #expect(try place(of: forged) == "unknown")
        #expect(cluster.claims.isEmpty)
        #expect(try place(of: record().id) == "unknown")
        let session = try bench.session()
        bench.advance(.seconds(25 * 3600))
        #expect(try place(of: session.id) == "unknown")
        #expect(bench.gateway.sessionsInMemory == 0)
    }

    @Test("a store that fails is no answer")
    func failure() throws {
        cluster.answersClaims { _ in .failure(StoreError(operation: "claim", reason: "odd")) }
        #expect(throws: StoreError.self) { try place(of: record().id) }
    }

    // MARK: Leases

    @Test("after the lease had lapsed each is claimed again: it goes on if it is still at home here, and leaves memory if not")
    func anotherGeneration() throws {
        let (kept, moved, ended) = (try bench.session(), try bench.session(), try bench.session())
        let stored = try #require(bench.stores.record(kept.id))
        let other = other
        cluster.peers = [other]
        cluster.lease = .held(generation: 1)
        cluster.answersClaims { id in
            if id == kept.id { return .success(.mine(stored, wasMine: true)) }
            return .success(id == moved.id ? .elsewhere(other) : .unknown)
        }
        #expect(try place(of: kept.id) == "here")
        #expect(bench.gateway.registry[kept.id] === kept, "with everything that it has in memory")
        #expect(try place(of: kept.id) == "here")
        #expect(cluster.claims.count == 1)
        bench.gateway.confirmHomes()
        bench.settle()
        #expect(Set(cluster.claims.dropFirst()) == [moved.id, ended.id])
        #expect(bench.gateway.registry.all.map(\.id) == [kept.id])
        #expect(bench.stores.record(moved.id) != nil, "the store is not touched")
        #expect(try place(of: moved.id) == "other")
    }

    @Test("one that was somewhere else meanwhile is read anew")
    func cameBack() throws {
        let session = try bench.session()
        let record = try #require(bench.stores.record(session.id))
        cluster.lease = .held(generation: 1)
        cluster.answersClaims { _ in .success(.mine(record, wasMine: false)) }
        #expect(try place(of: session.id) == "here")
        #expect(bench.gateway.registry[session.id] !== session)
    }

    @Test("without a lease the others are asked first; if none has it, its home goes on")
    func lapsed() throws {
        let session = try bench.session()
        cluster.lease = .lapsed(generation: 0)
        cluster.peers = [other]
        #expect(try place(of: session.id) == "other")
        #expect(try place(of: session.id, tried: [other]) == "here")
        #expect(try place(of: session.id, from: .instance(.withStore)) == "moving", "that one asked the store, which knows better")
        #expect(try place(of: session.id, from: .instance(.withoutStore)) == "here")
        cluster.peers = [Cluster.instance("leaving", isDraining: true)]
        #expect(try place(of: session.id) == "here")
        #expect(cluster.claims.isEmpty)
    }

    // MARK: Without the store

    @Test("what cannot be looked up is asked for at the others; an instance that asks is told to ask on")
    func unavailable() throws {
        let id = record().id
        cluster.answersClaims { _ in .failure(Cluster.unavailable) }
        cluster.peers = [other]
        #expect(try place(of: id) == "other")
        #expect(try place(of: id, tried: [other]) == "moving", "the store answers others: it will answer this one")
        for reason in [ForwardReason.withStore, .withoutStore, .nobodyHasIt] {
            #expect(try place(of: id, from: .instance(reason)) == "moving")
        }
        cluster.lease = .lapsed(generation: 0)
        #expect(try place(of: id, from: .instance(.withoutStore)) == "not here")
        #expect(try place(of: id, from: .instance(.withStore)) == "moving", "the one that asks knows better")
        #expect(bench.gateway.sessionsInMemory == 0)
    }

    @Test("no instance stands in while another may have the session, or may soon look it up")
    func waits() throws {
        let id = record().id
        cluster.lease = .lapsed(generation: 0)
        cluster.answersClaims { _ in .failure(Cluster.unavailable) }
        cluster.peers = [other, third]
        #expect(try place(of: id, without: [other]) == "third")
        #expect(try place(of: id, tried: [other], without: [third]) == "moving")
        #expect(try place(of: id, tried: [other, third]) == "moving")
        #expect(bench.gateway.sessionsInMemory == 0)
    }

    @Test("all take the same instance for the one that stands in, as long as it can be reached; it serves no request but for that reason")
    func standsIn() throws {
        cluster.lease = .lapsed(generation: 0)
        cluster.answersClaims { _ in .failure(Cluster.unavailable) }
        cluster.peers = [other, third, Cluster.instance("leaving", isDraining: true)]
        let ids = (0..<64).map { _ in record().id }
        let places = try ids.map { try place(of: $0, without: [other, third]) }
        #expect(Set(places) == ["here, stateless", "other, stateless", "third, stateless"])
        #expect(try ids.map { try place(of: $0, without: [third, other]) } == places)
        let survivors = try ids.map { try place(of: $0, without: [other], unreachable: [third]) }
        #expect(Set(survivors) == ["here, stateless", "other, stateless"])
        let here = try #require(zip(ids, places).first { $0.1 == "here, stateless" }).0
        #expect(try place(of: here, from: .instance(.withoutStore)) == "not here")
        #expect(try place(of: here, from: .instance(.nobodyHasIt)) == "here, stateless")
        #expect(["other", "third"].contains(try place(of: here)), "their answers may be others now")
    }

    @Test("stand-ins are bounded: no store counts them, and an id stays genuine when its session is long over")
    func tooManyStandIns() throws {
        let homes = HomesTests { $0.maxSessions = 2 }
        homes.cluster.lease = .lapsed(generation: 0)
        homes.cluster.answersClaims { _ in .failure(Cluster.unavailable) }
        let ids = (0..<3).map { _ in homes.record().id }
        for id in ids.prefix(2) { #expect(try homes.place(of: id) == "here, stateless") }
        let hits = LimitHits.total(.maxSessions)
        let error = #expect(throws: StoreError.self) { try homes.place(of: ids[2]) }
        #expect(error?.kind == .unavailable && error?.reason.contains("sessions.maxSessions") == true)
        #expect(LimitHits.total(.maxSessions) > hits)
        #expect(try homes.place(of: ids[1]) == "here, stateless")
        #expect(homes.bench.gateway.sessionsInMemory == 2)
    }

    @Test("on its way out it stands in for what nobody else can serve, too")
    func standsInWhileDraining() throws {
        let id = record().id
        cluster.lease = .lapsed(generation: 0)
        bench.gateway.beginDraining()
        #expect(try place(of: id, from: .instance(.withoutStore)) == "not here")
        #expect(try place(of: id) == "here, stateless")
        #expect(cluster.claims.isEmpty)
    }

    @Test("a home goes on beside what others may answer: one that stands in does not take its session")
    func homeWithoutStore() throws {
        let session = try bench.session()
        cluster.lease = .lapsed(generation: 0)
        cluster.peers = [other]
        cluster.answersClaims { _ in .failure(Cluster.unavailable) }
        #expect(try place(of: session.id, from: .instance(.nobodyHasIt)) == "here")
        #expect(try place(of: session.id, without: [other]) == "here")
        #expect(bench.gateway.registry[session.id] === session)
    }

    @Test("what nobody has is served by its id alone, and let go as soon as it can be looked up", arguments: [true, false])
    func stateless(isAskedFor: Bool) throws {
        let record = record()
        cluster.lease = .lapsed(generation: 0)
        cluster.answersClaims { _ in .failure(Cluster.unavailable) }
        #expect(try place(of: record.id) == "here, stateless")
        #expect(try place(of: record.id) == "here, stateless")
        #expect(bench.gateway.sessionsInMemory == 1)
        cluster.lease = .held(generation: 1)
        cluster.answersClaims { _ in .success(.mine(record, wasMine: false)) }
        if !isAskedFor {
            bench.gateway.confirmHomes()
            bench.settle()
            #expect(bench.gateway.sessionsInMemory == 0)
        }
        #expect(try place(of: record.id) == "here")
        #expect(bench.gateway.registry[record.id]?.clientID == "c")
    }

    // MARK: Letting go

    @Test("one for which the store refuses a write leaves memory with its calls, and is looked for again")
    func fenced() throws {
        let session = try bench.session()
        let call = try bench.request("tools/call", #"{"name":"up__hold"}"#, in: session)
        #expect(!call.isOver)
        cluster.losesHome(session.id)
        bench.settle()
        #expect(bench.gateway.sessionsInMemory == 0)
        #expect(bench.stores.record(session.id) != nil)
        let other = other
        cluster.peers = [other]
        cluster.answersClaims { _ in .success(.elsewhere(other)) }
        #expect(try place(of: session.id) == "other")
        cluster.losesHome(session.id)
    }

    @Test("an instance that served it is its home from then on")
    func served() throws {
        let session = try bench.session()
        cluster.peers = [other]
        bench.gateway.servedElsewhere(session.id, by: other.identity)
        #expect(bench.gateway.sessionsInMemory == 0)
        #expect(try place(of: session.id) == "other")
    }

    @Test("an instance that drains gives back what is quiet, the rest when it is, and takes over nothing")
    func drains() throws {
        let (quiet, busy) = (try bench.session(), try bench.session())
        let call = try bench.request("tools/call", #"{"name":"up__hold"}"#, in: busy)
        bench.gateway.beginDraining()
        bench.gateway.handOverQuietSessions()
        bench.settle()
        #expect(cluster.released.isEmpty, "there is nobody to take them")
        #expect(try place(of: record().id) == "moving")
        cluster.peers = [other]
        bench.gateway.handOverQuietSessions()
        bench.settle()
        #expect(cluster.released == [quiet.id])
        #expect(try place(of: quiet.id) == "other")
        #expect(try place(of: quiet.id, tried: [other]) == "moving")
        #expect(try place(of: quiet.id, from: .instance(.withStore)) == "moving")
        #expect(try place(of: busy.id) == "here")
        #expect(cluster.claims.isEmpty)
        #expect(bench.gateway.hasSessionsToHandOver)
        let link = bench.servers[0].link
        link.answer(try #require(link.messages(of: .toolsCall).last), result: #"{"content":[]}"#)
        bench.settle()
        #expect(call.isOver)
        bench.gateway.handOverQuietSessions()
        bench.settle()
        #expect(cluster.released == [quiet.id, busy.id])
        #expect(!bench.gateway.hasSessionsToHandOver)
    }
}
