import Testing

@testable import GatewayCore

@Suite("Tickets for the feed of a session")
struct StreamTicketsTests {
    private let session = SessionID(bytes: Array(repeating: UInt8(7), count: 16))
    private let now = WallTime(milliseconds: 1_000_000)

    @Test("a ticket names its session, once and until it expires")
    func once() throws {
        let (tickets, session) = (StreamTickets(), try #require(session))
        let ticket = try tickets.make(for: session, expiresAt: now + .seconds(30))
        let late = try tickets.make(for: session, expiresAt: now + .seconds(30))
        #expect(tickets.redeem(ticket, now: now) == session)
        #expect(tickets.redeem(ticket, now: now) == nil)
        #expect(tickets.redeem(late, now: now + .seconds(30)) == nil)
        #expect(StreamTickets().redeem(late, now: now) == nil)
    }

    @Test("a used ticket is remembered until it has expired, whatever comes meanwhile")
    func remembered() {
        var used = UsedTickets()
        let first = UsedTickets.Nonce([1])
        let isNew = used.insert(first, expiresAt: now + .seconds(30), now: now)
        #expect(isNew)
        for second in 1..<30 {
            let time = now + .seconds(second)
            let isOther = used.insert(.init([2, UInt8(second)]), expiresAt: time + .seconds(30), now: time)
            let isAgain = used.insert(first, expiresAt: now + .seconds(30), now: time)
            #expect(isOther && !isAgain)
        }
    }

    @Test("what has expired is forgotten, so that a steady use needs a bounded memory")
    func forgotten() {
        var used = UsedTickets()
        var most = 0
        for second in 0..<600 {
            let time = now + .seconds(second)
            let isNew = used.insert(.init([UInt8(second >> 8), UInt8(second & 255)]), expiresAt: time + .seconds(30), now: time)
            #expect(isNew)
            most = max(most, used.count)
        }
        #expect(most <= 62)
    }

    @Test("when no more can be remembered no ticket is accepted, until some have expired")
    func full() {
        var used = UsedTickets(capacity: 2)
        func insert(_ number: UInt8, _ seconds: Int) -> Bool {
            let time = now + .seconds(seconds)
            return used.insert(.init([number]), expiresAt: time + .seconds(10), now: time)
        }
        let accepted = [insert(1, 0), insert(2, 1), insert(3, 2), insert(4, 12)]
        #expect(accepted == [true, true, false, true])
    }
}
