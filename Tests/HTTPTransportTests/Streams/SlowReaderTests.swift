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
                last = event
            }
            #expect(wasBroken)
            #expect(seen.count < count)
            server.upstream.release()
            let (client, _) = try await server.listen(session: session, after: last.id)
            seen += try await client.messages().map { $0.sequence ?? -1 }
            #expect(seen == Array(1...(count + 1)))
        }
    }
}
