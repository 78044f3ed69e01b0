import GatewayCore
import NIOCore
import Testing

/// The contract of `EventLog`, for every implementation; the store keeps the sessions too.
enum EventLogContract {
    typealias Store = any EventLog & SessionStore

    static let all: [ContractCase<Store>] = [
        ContractCase("replays a stream in order, after a sequence and up to a limit") { store in
            let (session, stream) = try await opened(store)
            for number in 1...20 as ClosedRange<UInt64> { try await store.append(number, "m\(number)", to: stream, of: session) }
            let all = try #require(try await store.read(stream, of: session))
            #expect(all.events.map(\.sequence) == Array(1...20))
            #expect(all.record.lastSequence == 20)
            let some = try #require(try await store.read(stream, of: session, after: 5, limit: 3))
            #expect(some.events.map(\.text) == ["m6", "m7", "m8"])
            #expect(try await store.read(stream, of: session, after: 20)?.events == [])
            #expect(try await store.read(stream, of: session, after: .max)?.events == [])
            #expect(try await store.read(stream, of: session, after: 0, limit: 0)?.events == [])
            #expect(try await store.read(StreamID("other"), of: session) == nil)
        },
        ContractCase("shows a read every append that was asked for before it, and completes in the order of the calls") { store in
            let (session, stream) = try await opened(store)
            let order = Recorder<Int>()
            for number in 1...300 {
                let event = StreamEvent(sequence: UInt64(number), message: ByteBuffer(string: "m"))
                store.append(event, to: stream, of: session, ends: false) { _ in order.add(number) }
                if number % 50 == 0 {
                    store.read(stream, of: session, after: 0, limit: 1_000) { order.add(((try? $0.get())??.events.count ?? -1) + 10_000) }
                }
            }
            await store.flush()
            let expected = (1...300).flatMap { $0 % 50 == 0 ? [$0, $0 + 10_000] : [$0] }
            #expect(order.values == expected)
        },
        ContractCase("takes a gap as it is; refuses a repetition, an unknown stream and an ended one") { store in
            let (session, stream) = try await opened(store)
            try await store.append(1, "a", to: stream, of: session)
            await #expect(throws: StoreError.self) { try await store.append(1, "b", to: stream, of: session) }
            try await store.append(3, "c", to: stream, of: session)
            await #expect(throws: StoreError.self) { try await store.append(2, "b", to: stream, of: session) }
            await #expect(throws: StoreError.self) { try await store.append(1, "d", to: StreamID("other"), of: session) }
            try await store.append(4, "e", to: stream, of: session, ends: true)
            await #expect(throws: StoreError.self) { try await store.append(5, "f", to: stream, of: session) }
            let read = try #require(try await store.read(stream, of: session))
            #expect(read.events.map(\.text) == ["a", "c", "e"])
            #expect(read.events.map(\.sequence) == [1, 3, 4])
            #expect(read.record.hasEnded)
        },
        ContractCase("keeps what may be worked on twice, to the byte, until the stream has ended, however it ends") { store in
            let session = Sample.session()
            try await store.create(session)
            let requests = "[{\"a\":\"\u{0}é\"}]"
            for name in ["open", "answered", "ended"] { try await store.open(Sample.stream(name, of: session.id, repeatable: requests)) }
            try await store.append(1, "a", to: StreamID("open"), of: session.id)
            try await store.append(1, "a", to: StreamID("answered"), of: session.id, ends: true)
            store.end(StreamID("ended"), of: session.id)
            for (name, expected) in [("open", ByteBuffer(string: requests)), ("answered", nil), ("ended", nil)] {
                let read = try #require(try await store.read(StreamID(name), of: session.id))
                #expect(read.record.repeatableRequests == expected)
                #expect(try await store.streams(of: session.id).first { $0.stream.value == name }?.repeatableRequests == expected)
            }
        },
        ContractCase("counts how often the requests of a stream were worked on again, until it has ended") { store in
            let session = Sample.session()
            try await store.create(session)
            let stream = StreamID("s")
            try await store.open(Sample.stream("s", of: session.id, repeatable: "[1]"))
            for name in ["other", "s"] { try await store.open(Sample.stream("\(name)-2", of: session.id)) }
            #expect(try await store.read(stream, of: session.id)?.record.repetitions == 0)
            for count in [1, 2, 1] {
                try await store.setRepetitions(of: stream, in: session.id, to: count)
                #expect(try await store.read(stream, of: session.id)?.record.repetitions == count)
                #expect(try await store.streams(of: session.id).map(\.repetitions).sorted() == [0, 0, count])
            }
            #expect(try await store.read(stream, of: session.id)?.record.repeatableRequests == ByteBuffer(string: "[1]"))
            await #expect(throws: StoreError.self) { try await store.setRepetitions(of: StreamID("none"), in: session.id, to: 1) }
            try await store.append(1, "a", to: stream, of: session.id, ends: true)
            await #expect(throws: StoreError.self) { try await store.setRepetitions(of: stream, in: session.id, to: 2) }
        },
        ContractCase("keeps the same stream name of two sessions apart, and lists streams oldest first") { store in
            let (first, stream) = try await opened(store)
            let (second, _) = try await opened(store)
            try await store.append(1, "first", to: stream, of: first)
            #expect(try await store.read(stream, of: second)?.events == [])
            let listening = Sample.stream("0", of: first, kind: .listening, requests: nil, created: 500)
            try await store.open(listening)
            store.end(listening.stream, of: first)
            var expected = listening
            expected.hasEnded = true
            let streams = try await store.streams(of: first)
            #expect(streams.map(\.stream.value) == ["0", "s"])
            #expect(streams.first == expected)
            #expect(streams.last?.lastSequence == 1)
        },
        ContractCase("deletes streams with their session") { store in
            let (session, stream) = try await opened(store)
            try await store.append(1, "a", to: stream, of: session)
            #expect(try await store.delete(session))
            #expect(try await store.read(stream, of: session) == nil)
            #expect(try await store.streams(of: session) == [])
            await #expect(throws: StoreError.self) { try await store.append(2, "b", to: stream, of: session) }
        },
        ContractCase("passes a barrier after everything that was asked for before it") { store in
            let (session, stream) = try await opened(store)
            let order = Recorder<Int>()
            for number in 1...100 {
                let event = StreamEvent(sequence: UInt64(number), message: ByteBuffer(string: "m"))
                store.append(event, to: stream, of: session, ends: false) { _ in order.add(number) }
                if number == 50 { store.barrier { order.add(-1) } }
            }
            await store.flush()
            #expect(order.values == Array(1...50) + [-1] + Array(51...100))
        },
    ]

    /// A session with a stream "s".
    static func opened(_ store: Store) async throws -> (SessionID, StreamID) {
        let session = Sample.session()
        try await store.create(session)
        try await store.open(Sample.stream("s", of: session.id))
        return (session.id, StreamID("s"))
    }
}
