import Crypto
import NIOCore
import Testing

@testable import GatewayCore

@Suite("Signatures of requests between instances")
struct ForwardingAuthorityTests {
    private let now = WallTime(milliseconds: 1_800_000_000_000)
    private let body = ByteBuffer(string: "{}")
    private let a = InstanceIdentity(name: "a", incarnation: 1)
    private let b = InstanceIdentity(name: "b", incarnation: 1)
    private let key = SymmetricKey(data: [UInt8](repeating: 7, count: 32))

    private func field(_ reason: ForwardReason = .withStore) -> String {
        ForwardingAuthority(key: key, own: a).sign(reason, for: b, method: "POST", target: "/mcp", body: body, now: now)
    }

    private func verify(
        _ field: String, own: InstanceIdentity? = nil, method: String = "POST", target: String = "/mcp", body: String = "{}",
        after: Duration = .zero,
        key: SymmetricKey? = nil
    ) -> ForwardClaims? {
        let claims = ForwardingAuthority(key: key ?? self.key, own: own ?? b).verify(
            field, method: method, target: target, now: now + after)
        return claims?.cover(ByteBuffer(string: body)) == true ? claims : nil
    }

    @Test("the receiver learns why it is sent", arguments: [ForwardReason.withStore, .withoutStore, .nobodyHasIt])
    func accepts(reason: ForwardReason) {
        let claims = verify(field(reason))
        #expect(claims?.reason == reason)
    }

    @Test("nobody else, nothing else, no other time and no other cluster")
    func refuses() {
        #expect(verify(field(), own: InstanceIdentity(name: "c", incarnation: 1)) == nil)
        // The one that has started again under its name.
        #expect(verify(field(), own: InstanceIdentity(name: "b", incarnation: 2)) == nil)
        #expect(verify(field(), method: "GET") == nil)
        #expect(verify(field(), target: "/servers/x/mcp") == nil)
        #expect(verify(field(), body: "{ }") == nil)
        #expect(verify(field(), key: SymmetricKey(size: .bits256)) == nil)
        #expect(verify(field(), after: .seconds(29)) != nil)
        #expect(verify(field(), after: .seconds(31)) == nil)
        #expect(verify(field(), after: .seconds(-31)) == nil)
        #expect(verify(field().replacing(";1;", with: ";0;")) == nil)
        #expect(verify(field().replacing("a/1;", with: "b/1;")) == nil)
        #expect(verify(field().replacing("a/1;1;", with: "a/1;2;")) == nil)
    }

    @Test(
        "what is no signature is none",
        arguments: [
            "", ";", "a;1;1", "a;x;1;00", "a;1;2;00", "a;1;1;", "é;1;1;00", "a;1;1800000000000;1;;", "a;1;1800000000000;1;;00", ";;;;;",
            ";;;;;;",
        ])
    func nonsense(field: String) {
        #expect(verify(field) == nil)
    }

    @Test("one that was overheard is good for nothing")
    func replay() {
        let receiver = ForwardingAuthority(key: key, own: b)
        let sender = ForwardingAuthority(key: key, own: a)
        func sign() -> String { sender.sign(.withStore, for: b, method: "POST", target: "/mcp", body: body, now: now) }
        let (first, second) = (sign(), sign())
        for field in [second, first] {
            #expect(receiver.verify(field, method: "POST", target: "/mcp", now: now) != nil)
            #expect(receiver.verify(field, method: "POST", target: "/mcp", now: now + .seconds(1)) == nil)
        }
        // A sender that has started again counts anew.
        let later = ForwardingAuthority(key: key, own: InstanceIdentity(name: "a", incarnation: 2)).sign(
            .withStore, for: b, method: "POST", target: "/mcp", body: body, now: now)
        #expect(receiver.verify(later, method: "POST", target: "/mcp", now: now) != nil)
    }
}

@Suite("Numbers that are good once")
struct ReplayGuardTests {
    private let now = WallTime(milliseconds: 1_800_000_000_000)

    /// Which of the numbers are let in.
    private func admitted(_ numbers: [UInt64], by guardian: inout ReplayGuard, of sender: String = "a/1", after: Duration = .zero)
        -> [UInt64]
    {
        var admitted: [UInt64] = []
        for number in numbers where guardian.admits(number, of: sender, now: now + after) {
            admitted.append(number)
        }
        return admitted
    }

    @Test("in any order within the window, each once")
    func once() {
        var guardian = ReplayGuard(memory: .seconds(60))
        let numbers: [UInt64] = [5, 1, 4, 70_000, 69_999, 6000, 200_000, 134_465]
        #expect(admitted(numbers, by: &guardian) == numbers)
        #expect(admitted(numbers, by: &guardian) == [])
        #expect(admitted([200_000 - 65_536], by: &guardian) == [], "too far behind to be known")
        #expect(admitted([200_000 - 65_534], by: &guardian) == [200_000 - 65_534])
    }

    @Test("all of a long row of numbers, with a gap that is as long as the window")
    func row() {
        var guardian = ReplayGuard(memory: .seconds(60))
        let numbers = Array(1...1000) + Array(66_536...67_000) as [UInt64]
        #expect(admitted(numbers, by: &guardian) == numbers)
        #expect(admitted(numbers, by: &guardian) == [])
    }

    @Test("a sender is remembered for as long as its requests are young enough to be taken")
    func memory() {
        var guardian = ReplayGuard(memory: .seconds(60))
        #expect(admitted([1], by: &guardian) == [1])
        #expect(admitted([1], by: &guardian, of: "a/2", after: .seconds(59)) == [1])
        #expect(admitted([1], by: &guardian, after: .seconds(59)) == [])
        #expect(admitted([1], by: &guardian, of: "a/3", after: .seconds(120)) == [1])
        #expect(admitted([1], by: &guardian, after: .seconds(120)) == [1])
    }
}

@Suite("Homes that are remembered")
struct KnownHomesTests {
    private let authority = SessionIDAuthority(key: [UInt8](repeating: 1, count: 32))
    private let a = InstanceIdentity(name: "a", incarnation: 1)

    @Test("the newest stay, the oldest go, and one may be forgotten")
    func bounded() {
        let homes = KnownHomes(capacity: 2)
        let ids = (0..<5).map { authority.make(random: $0 << 20) }
        for id in ids { homes.remember(id, at: a) }
        #expect(homes[ids[0]] == nil && homes[ids[1]] == nil)
        #expect(homes[ids[4]] == a && homes[ids[3]] == a)
        homes.forget(ids[3])
        homes.forget(ids[4])
        #expect(homes[ids[3]] == nil && homes[ids[4]] == nil)
    }
}
