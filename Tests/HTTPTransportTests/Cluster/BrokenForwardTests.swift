import GatewayCore
import NIOCore
import Testing

@testable import HTTPTransport

@Suite("An instance that is gone in the middle of an answer")
struct BrokenForwardTests {
    /// Passes a call on to an instance that is gone once the answer has begun.
    private func breakOff(revision: String) async throws {
        try await ForwardingTests().pair({ $0.firstEventWait = .milliseconds(20) }) { _, a, b in
            let session = try await a.server.session(revision: revision)
            let caller = try await b.server.connect()
            try await caller.send(Request.post(Request.call("up__hold", id: "7"), session: session))
            #expect(try await caller.head()["content-type"] == "text/event-stream")
            try await a.server.upstream.waitForHeld()
            a.instance.die()
            if revision == "2025-11-25" {
                // It knows where to go on.
                #expect(try await caller.event().sequence == 0)
                #expect(try await caller.messages().isEmpty)
            } else {
                let messages = try await caller.messages()
                #expect(messages.count == 1)
                #expect(messages.first?.id == nil)
                #expect(messages.first?.data?.contains("\"id\":7") == true)
                #expect(messages.first?.data?.contains("outcome of this request is unknown") == true)
                #expect(try await caller.response(to: Request.post(Request.ping(), session: session)).status == 200)
            }
            a.server.upstream.release()
        }
    }

    @Test("who has no position to resume from is told that the outcome is unknown, and the connection stays")
    func withoutPosition() async throws { try await breakOff(revision: "2025-06-18") }

    @Test("who has one sees that there was more to come")
    func withPosition() async throws { try await breakOff(revision: "2025-11-25") }

    @Test("an id is found at the beginning of a line only, and where an event may follow is known")
    func positions() {
        func looked(_ pieces: [String]) -> (hasPosition: Bool, isBetween: Bool) {
            var answer = UnresumableAnswer(request: ByteBuffer())
            let found = pieces.map { answer.hasPosition(after: ByteBuffer(string: $0)) }
            return (found.contains(true), answer.isBetweenEvents)
        }
        #expect(looked(["id: e1.0\n"]).hasPosition)
        #expect(looked(["retry: 3000\n\n", "event: message\n", "id: e1.1\n"]).hasPosition)
        #expect(looked(["retry: 3000\n\n", "data: {\"a\":\"\\nid: 1\",\"id: \":2} id: 3\n\n"]) == (false, true))
        #expect(looked(["retry: 3000\n\n", "data: {\"a\""]) == (false, false))
        #expect(looked(["data: x\n"]) == (false, false))
        #expect(looked([]) == (false, true))
    }
}
