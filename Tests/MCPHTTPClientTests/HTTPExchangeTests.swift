import NIOCore
import Testing

@testable import MCPHTTPClient

@Suite("HTTP exchange")
struct HTTPExchangeTests {
    private static let limits = HTTPExchange.Limits(maxMessageBytes: 200, maxReconnectAttempts: 2)
    private static let answer = #"{"jsonrpc":"2.0","id":1,"result":{}}"#

    private func request(session: String? = "s") -> HTTPExchange {
        HTTPExchange(purpose: .request(token: 7, id: ByteBuffer(string: "1")), sessionID: session, limits: Self.limits)
    }

    private func bytes(_ text: String) -> ByteBuffer { ByteBuffer(string: text) }
    private func deliver(_ text: String) -> ExchangeAction { .deliver(bytes(text)) }

    @Test("a JSON answer is delivered when it is whole")
    func json() {
        var exchange = request()
        #expect(exchange.head(status: 200, contentType: "Application/JSON; charset=utf-8") == [])
        #expect(exchange.body(bytes(#"{"jsonrpc":"2.0","#)) == [])
        #expect(exchange.body(bytes(#""id":1,"result":{}}"#)) == [])
        #expect(exchange.ended() == [deliver(Self.answer), .finished])
        #expect(exchange.ended() == [])
        #expect(exchange.failed(.closed) == [], "nothing after the end")
    }

    @Test("an answered stream lingers until the server ends it, and delivers what still comes")
    func lingering() {
        var exchange = request()
        _ = exchange.head(status: 200, contentType: "text/event-stream")
        #expect(exchange.body(bytes("id: 1\ndata: \(Self.answer)\n\n")) == [deliver(Self.answer), .linger])
        let late = #"{"jsonrpc":"2.0","method":"n"}"#
        #expect(exchange.body(bytes("data: \(late)\n\n")) == [deliver(late)])
        #expect(exchange.failed(.connectionLost(reason: "")) == [.finished], "a cut after the answer is no failure")
    }

    @Test("attempts count only while they bring nothing, and a keep-alive comment is nothing")
    func attempts() {
        var exchange = request()
        _ = exchange.head(status: 200, contentType: "text/event-stream")
        #expect(exchange.body(bytes("id: a\nretry: 5\ndata:\n\n")) == [])
        #expect(exchange.ended() == [.reconnect(lastEventID: "a", attempt: 0, retryMilliseconds: 5)])
        exchange.reconnecting()
        #expect(exchange.isGET)
        _ = exchange.head(status: 200, contentType: "text/event-stream")
        #expect(exchange.body(bytes(": still here\n\n")) == [])
        #expect(exchange.ended() == [.reconnect(lastEventID: "a", attempt: 1, retryMilliseconds: 5)])
        exchange.reconnecting()
        _ = exchange.head(status: 200, contentType: "text/event-stream")
        #expect(exchange.body(bytes("id: b\n\n")) == [])
        #expect(exchange.ended() == [.reconnect(lastEventID: "b", attempt: 0, retryMilliseconds: 5)])
        exchange.reconnecting()
        #expect(exchange.failed(.connectFailed(reason: "")) == [.reconnect(lastEventID: "b", attempt: 1, retryMilliseconds: 5)])
        exchange.reconnecting()
        #expect(exchange.failed(.connectFailed(reason: "x")) == [.fail(token: 7, .connectFailed(reason: "x")), .finished])
    }

    @Test("an event id that is no header value does not resume")
    func strangeID() {
        var exchange = request()
        _ = exchange.head(status: 200, contentType: "text/event-stream")
        _ = exchange.body(bytes("id: a\u{1}\ndata:\n\n"))
        #expect(exchange.lastEventID == nil)
        #expect(exchange.failed(.closed) == [.fail(token: 7, .closed), .finished])
    }

    @Test("404 means a lost session only where a session id was sent; a resumed request is not safe to send again")
    func notFound() {
        var exchange = request()
        #expect(exchange.head(status: 404, contentType: nil) == [.sessionEnded, .fail(token: 7, .sessionEnded), .linger])
        #expect(exchange.ended() == [.finished])

        var stateless = request(session: nil)
        #expect(stateless.head(status: 404, contentType: nil) == [])
        #expect(stateless.ended() == [.fail(token: 7, .http(status: 404, excerpt: "")), .finished])

        var resumed = request()
        _ = resumed.head(status: 200, contentType: "text/event-stream")
        _ = resumed.body(bytes("id: a\ndata:\n\n"))
        _ = resumed.ended()
        resumed.reconnecting()
        let actions = resumed.head(status: 404, contentType: nil)
        #expect(actions.first == .sessionEnded)
        guard case .fail(7, let error)? = actions.dropFirst().first else {
            Issue.record("\(actions)")
            return
        }
        #expect(!error.isSafeToResend)
    }

    @Test("a notification is accepted once, whatever the answer")
    func notification() {
        for status in [202, 200, 204, 400, 500] {
            var exchange = HTTPExchange(purpose: .oneWay, sessionID: "s", limits: Self.limits)
            #expect(exchange.head(status: status, contentType: nil).first == .accepted)
            #expect(exchange.ended().last == .finished)
        }
        var refused = HTTPExchange(purpose: .oneWay, sessionID: "s", limits: Self.limits)
        #expect(refused.failed(.connectionLost(reason: "")) == [.accepted, .finished])
    }

    @Test("the listening stream outlives every failure but a refusal")
    func listening() {
        var exchange = HTTPExchange(purpose: .listening, sessionID: "s", limits: Self.limits)
        for attempt in 0..<9 {
            #expect(exchange.isGET)
            #expect(exchange.failed(.closed) == [.reconnect(lastEventID: nil, attempt: attempt, retryMilliseconds: nil)])
            exchange.reconnecting()
        }
        #expect(exchange.head(status: 409, contentType: nil).last == .reconnect(lastEventID: nil, attempt: 9, retryMilliseconds: nil))
        exchange.reconnecting()
        #expect(exchange.head(status: 405, contentType: nil).last == .linger)
        #expect(exchange.ended() == [.finished])
    }

    @Test("an abandoned exchange fails once")
    func abandoned() {
        var exchange = request()
        #expect(exchange.abandon(.closed) == [.cancelHTTP, .fail(token: 7, .closed), .finished])
        #expect(exchange.abandon(.closed) == [])
        #expect(exchange.body(bytes("x")) == [])
    }
}
