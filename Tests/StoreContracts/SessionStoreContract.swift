import GatewayCore
import NIOCore
import Testing

/// The contract of `SessionStore`, for every implementation.
enum SessionStoreContract {
    static let all: [ContractCase<any SessionStore>] = [
        ContractCase("gives back what was created, to the byte") { store in
            let record = Sample.session(
                client: "a\u{0}ü", server: "git", params: "{\"x\":\"\u{0}é\"}",
                attributes: [.logLevel: ByteBuffer(string: #""debug""#), .initialized: ByteBuffer()])
            try await store.create(record)
            #expect(try await store.load(record.id) == record)
            #expect(try await store.load(Sample.authority.make()) == nil)
        },
        ContractCase("refuses a second session of the same id and keeps the first") { store in
            let record = Sample.session()
            try await store.create(record)
            await #expect(throws: StoreError.self) { try await store.create(record) }
            #expect(try await store.load(record.id) == record)
        },
        ContractCase("lets a session live from when it was last seen") { store in
            let record = Sample.session(seen: 5_000)
            try await store.create(record)
            #expect(try await store.load(record.id, aliveSince: .at(5_000)) != nil)
            #expect(try await store.load(record.id, aliveSince: .at(5_001)) == nil)
            store.touch([(record.id, .at(9_000))])
            #expect(try await store.load(record.id, aliveSince: .at(9_000))?.lastSeen == .at(9_000))
        },
        ContractCase("never moves last seen back, and leaves unknown sessions out") { store in
            let record = Sample.session(seen: 5_000)
            try await store.create(record)
            store.touch([(record.id, .at(8_000)), (Sample.authority.make(), .at(9_000)), (record.id, .at(4_000))])
            store.touch([(record.id, .at(7_000))])
            await store.flush()
            #expect(try await store.load(record.id)?.lastSeen == .at(8_000))
            #expect(try await store.count() == 1)
        },
        ContractCase("sets and removes attributes, each on its own") { store in
            let record = Sample.session()
            try await store.create(record)
            try await store.setAttribute(.logLevel, of: record.id, to: "1")
            try await store.setAttribute(.logLevel, of: record.id, to: "2")
            try await store.setAttribute(.initialized, of: record.id, to: "true")
            try await store.setAttribute(.initialized, of: record.id, to: nil)
            try await store.setAttribute(.initialized, of: record.id, to: nil)
            #expect(try await store.load(record.id)?.attributes == [.logLevel: ByteBuffer(string: "2")])
        },
        ContractCase("loses no attribute when many are set at once") { store in
            let record = Sample.session()
            try await store.create(record)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<100 {
                    group.addTask { try await store.setAttribute(.subscription(uri: "file:\(number)"), of: record.id, to: "\(number)") }
                }
                try await group.waitForAll()
            }
            let attributes = try #require(try await store.load(record.id)).attributes
            #expect(attributes.count == 100)
            #expect(attributes[.subscription(uri: "file:42")] == ByteBuffer(string: "42"))
        },
        ContractCase("does nothing for an attribute of a session that does not exist") { store in
            let record = Sample.session()
            try await store.setAttribute(.logLevel, of: record.id, to: "1")
            try await store.create(record)
            #expect(try await store.load(record.id)?.attributes == [:])
        },
        ContractCase("tells one of many that it has deleted the session") { store in
            let record = Sample.session(attributes: [.logLevel: ByteBuffer(string: "1")])
            try await store.create(record)
            let deletions = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<50 { group.addTask { try await store.delete(record.id) } }
                return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(deletions == 1)
            #expect(try await store.load(record.id) == nil)
            try await store.create(record)
            #expect(try await store.load(record.id)?.attributes == record.attributes)
        },
        ContractCase("lists the live sessions of a client, oldest first") { store in
            let young = Sample.session(client: "a", created: 3_000, seen: 9_000, attributes: [.logLevel: ByteBuffer(string: "1")])
            let old = Sample.session(client: "a", created: 2_000, seen: 1_000)
            let dead = Sample.session(client: "a", created: 1_000, seen: 1_000)
            for record in [young, old, dead, Sample.session(client: "b", seen: 9_000)] { try await store.create(record) }
            store.touch([(old.id, .at(9_500))])
            let listed = try await store.sessions(ofClient: "a", aliveSince: .at(5_000))
            #expect(
                listed.sessions == [
                    SessionSummary(id: old.id, clientID: "a", createdAt: .at(2_000), lastSeen: .at(9_500)),
                    SessionSummary(id: young.id, clientID: "a", createdAt: .at(3_000), lastSeen: .at(9_000)),
                ])
            #expect(listed.next == nil)
        },
        ContractCase("lists each session of a client once in pages of any size, whatever is made, used and ends meanwhile", pages),
        ContractCase("admits no more sessions than there may be in all, and of one client, and says which limit it was", limits),
        ContractCase("counts and admits in one step, however many come at once", admissions),
        ContractCase("counts the live sessions") { store in
            for seen in 1...10 { try await store.create(Sample.session(seen: Int64(seen))) }
            #expect(try await store.count(aliveSince: .at(4)) == 7)
        },
        ContractCase("sweeps no more than the limit, and never a session that was touched") { store in
            let records = (1...10).map { Sample.session(seen: Int64($0)) }
            for record in records { try await store.create(record) }
            store.touch([(records[0].id, .at(100))])
            var swept: [SessionID] = []
            for count in [4, 4, 1, 0] {
                let ids = try await store.sweep(lastSeenBefore: .at(50), limit: 4)
                #expect(ids.count == count)
                swept += ids
            }
            #expect(Set(swept) == Set(records.dropFirst().map(\.id)))
            #expect(try await store.count() == 1)
        },
    ]

    @Sendable private static func pages(_ store: any SessionStore) async throws {
        // Several of the same millisecond, whose ids begin alike, expired ones between them, and somebody else's.
        var alive: [SessionRecord] = []
        for number in 0..<20 {
            let isDead = number % 5 == 4
            let id = Sample.authority.make(random: 0x0A4B_8C7D << 32 | UInt64(number * 7 % 20) << 16)
            let record = Sample.session(
                id: id, client: "a", created: Int64(1_000 + number / 4), seen: isDead ? 1_000 : 9_000 + Int64(number))
            try await store.create(record)
            if !isDead { alive.append(record) }
            try await store.create(Sample.session(client: "b", created: 1_002, seen: 9_000))
        }
        let expected = alive.sorted { ($0.createdAt, $0.id.description) < ($1.createdAt, $1.id.description) }.map(\.id)
        func list(after start: SessionPosition? = nil, limit: Int) async throws -> [SessionID] {
            var (listed, position, rounds): ([SessionID], SessionPosition?, Int) = ([], start, 0)
            repeat {
                let page = try await store.sessions(ofClient: "a", after: position, limit: limit, aliveSince: .at(5_000))
                #expect(page.sessions.count <= limit)
                listed += page.sessions.map(\.id)
                position = page.next
                rounds += 1
            } while position != nil && rounds < 100
            return listed
        }
        for limit in [1, 3, 4, 16, 50] { #expect(try await list(limit: limit) == expected) }
        let first = try await store.sessions(ofClient: "a", limit: 5, aliveSince: .at(5_000))
        #expect(first.sessions.map(\.id) == Array(expected.prefix(5)))
        let young = Sample.session(client: "a", created: 2_000, seen: 9_000)
        try await store.create(young)
        // The one that the next page begins behind, and one that is listed then.
        #expect(try await store.delete(expected[4]))
        #expect(try await store.delete(expected[7]))
        store.touch([(expected[0], .at(9_900)), (expected[6], .at(9_901))])
        let rest = expected[5...].filter { $0 != expected[7] } + [young.id]
        #expect(try await list(after: first.next, limit: 2) == rest)
    }

    @Sendable private static func limits(_ store: any SessionStore) async throws {
        let limits = SessionLimits(overall: 3, perClient: 2)
        let first = Sample.session(client: "a")
        #expect(try await store.create(first, limits: limits) == .created)
        #expect(try await store.create(Sample.session(client: "a"), limits: limits) == .created)
        let third = Sample.session(client: "a")
        #expect(try await store.create(third, limits: limits) == .tooMany(.maxSessionsPerClient))
        #expect(try await store.load(third.id) == nil)
        #expect(try await store.create(Sample.session(client: "b"), limits: limits) == .created)
        #expect(try await store.create(Sample.session(client: "c"), limits: limits) == .tooMany(.maxSessions))
        #expect(try await store.create(Sample.session(client: "a"), limits: .none) == .created)
        // What ends makes room, whichever way it ends.
        #expect(try await store.delete(first.id))
        #expect(try await store.create(Sample.session(client: "b"), limits: limits) == .tooMany(.maxSessions))
        #expect(try await store.sweep(lastSeenBefore: .at(2_000), limit: 100).count == 3)
        #expect(try await store.create(third, limits: limits) == .created)
    }

    @Sendable private static func admissions(_ store: any SessionStore) async throws {
        let admitted = try await withThrowingTaskGroup(of: SessionAdmission.self) { group in
            for _ in 0..<200 {
                group.addTask { try await store.create(Sample.session(), limits: SessionLimits(overall: 150, perClient: 50)) }
            }
            return try await group.reduce(into: 0) { $0 += $1 == .created ? 1 : 0 }
        }
        #expect(admitted == 50)
        #expect(try await store.count() == 50)
    }
}
