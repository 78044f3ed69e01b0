import Crypto
import NIOCore
import Testing

@testable import GatewayCore

@Suite("Signatures of requests between instances")
struct ForwardingAuthorityTests {
    private let now = WallTime(milliseconds: 1_800_000_000_000)
    private let body = ByteBuffer(string: "{}")
    private let key = SymmetricKey(data: [UInt8](repeating: 7, count: 32))

    private func field(hasStore: Bool = true) -> String {
        ForwardingAuthority(key: key, own: "a").sign(hasStore: hasStore, for: "b", method: "POST", target: "/mcp", body: body, now: now)
    }

    private func verify(
        _ field: String, own: String = "b", method: String = "POST", target: String = "/mcp", body: String = "{}", after: Duration = .zero,
        key: SymmetricKey? = nil
    ) -> ForwardClaims? {
        ForwardingAuthority(key: key ?? self.key, own: own)
            .verify(field, method: method, target: target, body: ByteBuffer(string: body), now: now + after)
    }

    @Test("the receiver learns who sends and whether that one has the store", arguments: [true, false])
    func accepts(hasStore: Bool) {
        #expect(verify(field(hasStore: hasStore)) == ForwardClaims(sender: "a", hasStore: hasStore))
    }

    @Test("nobody else, nothing else, no other time and no other cluster")
    func refuses() {
        #expect(verify(field(), own: "c") == nil)
        #expect(verify(field(), method: "GET") == nil)
        #expect(verify(field(), target: "/servers/x/mcp") == nil)
        #expect(verify(field(), body: "{ }") == nil)
        #expect(verify(field(), key: SymmetricKey(size: .bits256)) == nil)
        #expect(verify(field(), after: .seconds(29)) != nil)
        #expect(verify(field(), after: .seconds(31)) == nil)
        #expect(verify(field(), after: .seconds(-31)) == nil)
        #expect(verify(field().replacing(";1;", with: ";0;")) == nil)
        #expect(verify(field().replacing("a;", with: "b;")) == nil)
    }

    @Test("what is no signature is none", arguments: ["", ";", "a;1;1", "a;x;1;00", "a;1;2;00", "a;1;1;", "é;1;1;00"])
    func nonsense(field: String) {
        #expect(verify(field) == nil)
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
