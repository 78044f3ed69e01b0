import EmbeddedStore
import GatewayCore
import HTTPTransport
import NIOCore
import Testing

@Suite("Resumption with Last-Event-ID")
struct ResumptionTests {
    private func number(_ event: ServerSentEvent) -> Int? {
        event.data.flatMap { $0.firstMatch(of: /"message":"(\d+)"/)?.1 }.flatMap { Int($0) }
    }

    @Test("the stream of a POST goes on after a disconnect: every event once and in order, however often it breaks")
    func post() async throws {
        try await TestServer.run { server in
            let session = try await server.session()
            let caller = try await server.connect()
            try await caller.send(Request.post(Request.call("up__hold", wantsProgress: true), session: session))
            try await server.upstream.waitForHeld()
            server.upstream.reportProgress("0")
            _ = try await caller.head()
            #expect(try await caller.event().sequence == 0)
            var last = try await caller.event()
            #expect(number(last) == 0)
            await caller.close()
            for round in 0..<5 {
                server.upstream.reportProgress("\(2 * round + 1)")
                let (client, _) = try await server.listen(session: session, after: last.id)
                last = try await client.event()
                #expect(number(last) == 2 * round + 1)
                server.upstream.reportProgress("\(2 * round + 2)")
                last = try await client.event()
                #expect(number(last) == 2 * round + 2)
                await client.close()
            }
            server.upstream.release()
            let (client, _) = try await server.listen(session: session, after: last.id)
            let rest = try await client.messages()
            #expect(rest.count == 1)
            #expect(rest.first?.sequence == 12)
            #expect(rest.first?.data?.contains("released") == true)
        }
    }

    @Test("a stream that has ended can be read again after any of its events, and then ends")
    func ended() async throws {
        try await TestServer.run { server in
            let session = try await server.session()
            let caller = try await server.connect()
            let body = Request.call("up__progress", arguments: #"{"count":600}"#, wantsProgress: true)
            try await caller.send(Request.post(body, session: session))
            _ = try await caller.head()
            let primed = try await caller.event()
            let all = try await caller.messages()
            #expect(all.map(\.sequence) == (1...601).map { $0 })
            // Around the borders of what a replay reads at once.
            for position in [0, 1, 31, 32, 33, 64, 256, 600, 601] {
                let id = position == 0 ? primed.id : all[position - 1].id
                let (client, _) = try await server.listen(session: session, after: id)
                #expect(try await client.messages() == Array(all[position...]))
                await client.close()
            }
        }
    }

    @Test("a stream that is resumed while it is written loses and repeats nothing")
    func concurrently() async throws {
        try await TestServer.run { server in
            let session = try await server.session()
            let caller = try await server.connect()
            let body = Request.call("up__progress", arguments: #"{"count":3000}"#, wantsProgress: true)
            try await caller.send(Request.post(body, session: session))
            _ = try await caller.head()
            var last = try await caller.event()
            var seen: [Int] = []
            var client = caller
            var isOver = false
            while !isOver {
                for _ in 0..<200 {
                    guard case .event(let event) = try await client.next() else {
                        isOver = true
                        break
                    }
                    if event.isMessage { seen.append(event.sequence ?? -1) }
                    if event.id != nil { last = event }
                }
                await client.close()
                if !isOver { (client, _) = try await server.listen(session: session, after: last.id) }
            }
            #expect(seen == Array(1...3001))
        }
    }

    @Test("a second connection takes a stream over; the first one ends and gets nothing more")
    func takeOver() async throws {
        try await TestServer.run { server in
            let session = try await server.session()
            let caller = try await server.connect()
            try await caller.send(Request.post(Request.call("up__hold", wantsProgress: true), session: session))
            try await server.upstream.waitForHeld()
            server.upstream.reportProgress("1")
            _ = try await caller.head()
            let primed = try await caller.event()
            _ = try await caller.event()
            let (second, _) = try await server.listen(session: session, after: primed.id)
            #expect(number(try await second.event()) == 1)
            #expect(try await caller.next() == .broken)
            server.upstream.release()
            #expect(try await second.messages().count == 1)
        }
    }

    @Test("a stream belongs to its session")
    func otherSession() async throws {
        try await TestServer.run { server in
            let (_, first) = try await server.listen(session: try await server.session())
            let other = try await server.session()
            #expect(try await server.response(to: Request.listen(session: other, after: first.id)).status == 400)
        }
    }

    @Test("a position beyond the end of a stream does not swallow what comes")
    func beyondTheEnd() async throws {
        try await TestServer.run({ $0.keepAlive = .milliseconds(50) }) { server in
            let session = try await server.session()
            let caller = try await server.connect()
            try await caller.send(Request.post(Request.call("up__hold", wantsProgress: true), session: session))
            try await server.upstream.waitForHeld()
            server.upstream.reportProgress("1")
            _ = try await caller.head()
            let stream = try #require(try await caller.event().id?.split(separator: ".").first)
            _ = try await caller.event()
            let client = try await server.connect()
            try await client.send(Request.listen(session: session, after: "\(stream).5"))
            guard try await client.head().status == 200 else { return }
            _ = try await client.event()
            server.upstream.release()
            #expect(try await client.message().sequence == 2)
            // It is in the log, too.
            let (other, _) = try await server.listen(session: session, after: "\(stream).1")
            #expect(try await other.messages().count == 1)
        }
    }

    @Test("a position beyond the newest event of its stream gets 400, and the stream goes on for who has it")
    func beyondNewest() async throws {
        try await TestServer.run { server in
            let session = try await server.session()
            let caller = try await server.connect()
            try await caller.send(Request.post(Request.call("up__hold", wantsProgress: true), session: session))
            try await server.upstream.waitForHeld()
            server.upstream.reportProgress("0")
            _ = try await caller.head()
            let stream = try #require(try await caller.event().id?.split(separator: ".").first)
            _ = try await caller.event()
            for sequence in ["2", "3", "18446744073709551615"] {
                let response = try await server.response(to: Request.listen(session: session, after: "\(stream).\(sequence)"))
                #expect(response.status == 400)
                #expect(response.body.contains("beyond the newest event"))
            }
            server.upstream.release()
            let rest = try await caller.messages()
            #expect(rest.last?.data?.contains("released") == true)
        }
    }

    @Test("an event that the log refuses comes without id; who resumes before it is told in its place that it is lost")
    func lostEvent() async throws {
        try await TestServer.run(limits: EventLogLimits(maxEventBytes: 400)) { server in
            let session = try await server.session()
            let caller = try await server.connect()
            try await caller.send(Request.post(Request.call("up__hold", wantsProgress: true), session: session))
            try await server.upstream.waitForHeld()
            server.upstream.reportProgress("0")
            server.upstream.reportProgress(String(repeating: "1", count: 500))
            server.upstream.reportProgress("2")
            _ = try await caller.head()
            _ = try await caller.event()
            let live = [try await caller.event(), try await caller.event(), try await caller.event()]
            #expect(live.map(\.sequence) == [1, nil, 3])
            #expect(live[1].data?.contains("11111") == true)
            await caller.close()
            let (client, _) = try await server.listen(session: session, after: live[0].id)
            let notice = try await client.event()
            #expect(notice.sequence == nil)
            #expect(notice.data?.contains("event 2 of this stream cannot be sent again") == true)
            #expect(try await client.event() == live[2])
            server.upstream.release()
            let rest = try await client.messages()
            #expect(rest.last?.sequence == 4)
        }
    }
}
