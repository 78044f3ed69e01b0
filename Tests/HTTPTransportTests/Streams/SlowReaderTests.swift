import GatewayCore
import HTTPTransport
import NIOCore
import Testing

@Suite("A slow reader")
struct SlowReaderTests {
    @Test("is disconnected beyond the bound, and gets the rest when it comes back")
    func disconnected() async throws {
        try await TestServer.run({
            $0.slowReaderBuffer = 256 << 10
            $0.firstEventWait = .milliseconds(20)
        }) { server in
            let session = try await server.session()
            let slow = try await server.connect(reads: false)
            try await slow.send(Request.post(Request.call("up__hold", wantsProgress: true), session: session))
            try await server.upstream.waitForHeld()
            try await server.wait(until: "the stream is open") { try await server.connectedStreams(of: session) == 1 }
            // More than the buffers of both sockets and the bound hold together.
            let count = 400
            let padding = String(repeating: "x", count: 60_000)
            for _ in 0..<count { server.upstream.reportProgress(padding) }
            try await server.wait(until: "the reader is disconnected") { try await server.connectedStreams(of: session) == 0 }
            try await slow.startReading()
            _ = try await slow.head()
            var last = try await slow.event()
            var seen: [Int] = []
            var wasBroken = false
            while true {
                let next = try await slow.next()
                guard case .event(let event) = next else {
                    wasBroken = next == .broken
                    break
                }
                if event.isMessage { seen.append(event.sequence ?? -1) }
                if event.id != nil { last = event }
            }
            #expect(wasBroken)
            #expect(seen.count < count)
            server.upstream.release()
            // Each time it gets at least what the bound lets wait.
            var client = slow
            var isOver = false
            while !isOver {
                await client.close()
                (client, _) = try await server.listen(session: session, after: last.id)
                let before = seen.count
                read: while true {
                    switch try await client.next() {
                    case .event(let event):
                        if event.isMessage { seen.append(event.sequence ?? -1) }
                        if event.id != nil { last = event }
                    case .ended:
                        isOver = true
                        break read
                    case .broken: break read
                    }
                }
                try #require(isOver || seen.count > before)
            }
            #expect(seen == Array(1...(count + 1)))
        }
    }

    @Test("a reader that takes what it gets is not disconnected by a long replay")
    func longReplay() async throws {
        try await TestServer.run({ $0.slowReaderBuffer = 64 << 10 }) { server in
            let session = try await server.session()
            let caller = try await server.connect()
            try await caller.send(Request.post(Request.call("up__hold", wantsProgress: true), session: session))
            try await server.upstream.waitForHeld()
            server.upstream.reportProgress("first")
            _ = try await caller.head()
            let first = try await caller.message()
            await caller.close()
            try await server.wait(until: "nobody is connected") { try await server.connectedStreams(of: session) == 0 }
            let count = 200
            let padding = String(repeating: "x", count: 100_000)
            for _ in 0..<count { server.upstream.reportProgress(padding) }
            server.upstream.release()
            // Of what comes later than the replay no more waits than the bound.
            try await server.wait(until: "everything is in the log") { server.gateway.openExchangeCount == 0 }
            let (reader, _) = try await server.listen(session: session, after: first.id)
            let messages = try await reader.messages()
            #expect(messages.count == count + 1)
        }
    }
}
