import Testing

@testable import HTTPTransport

@Suite("Registry of connections")
struct ConnectionRegistryTests {
    private final class Member: RegisteredConnection {
        var registryIndex: Int?
        let name: Int
        init(_ name: Int) { self.name = name }
    }

    @Test("adding twice and removing twice count once")
    func idempotence() {
        var registry = ConnectionRegistry<Member>()
        let member = Member(1)
        registry.add(member)
        registry.add(member)
        #expect(registry.members.count == 1)
        registry.remove(member)
        registry.remove(member)
        #expect(registry.members.isEmpty)
        #expect(member.registryIndex == nil)
    }

    @Test("whatever is added and removed in whatever order, members are what they should be and know their places")
    func randomOrder() {
        var random = SystemRandomNumberGenerator()
        var registry = ConnectionRegistry<Member>()
        let all = (0..<50).map { Member($0) }
        var expected = Set<Int>()
        for _ in 0..<2000 {
            let member = all[Int.random(in: 0..<all.count, using: &random)]
            if expected.remove(member.name) != nil {
                registry.remove(member)
            } else {
                registry.add(member)
                expected.insert(member.name)
            }
            #expect(Set(registry.members.map(\.name)) == expected)
            #expect(registry.members.count == expected.count)
        }
        for (index, member) in registry.members.enumerated() { #expect(member.registryIndex == index) }
    }

    @Test("a member can be added again after it was removed")
    func again() {
        var registry = ConnectionRegistry<Member>()
        let first = Member(1)
        let second = Member(2)
        registry.add(first)
        registry.add(second)
        registry.remove(first)
        registry.add(first)
        #expect(registry.members.map(\.name) == [2, 1])
    }
}
