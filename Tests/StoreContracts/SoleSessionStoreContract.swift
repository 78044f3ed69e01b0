import GatewayCore
import NIOCore
import Testing

/// The contract of `SoleSessionStore` beyond that of `SessionStore`.
enum SoleSessionStoreContract {
    static let all: [ContractCase<any SoleSessionStore>] = [
        ContractCase("lists the live sessions with an attribute prefix, with all attributes") { store in
            let subscribed = Sample.session(
                attributes: [.subscription(uri: "file:a"): ByteBuffer(), .subscription(uri: "b"): ByteBuffer(), .initialized: ByteBuffer()])
            let other = Sample.session(attributes: [.task(id: "subscription:"): ByteBuffer()])
            let dead = Sample.session(seen: 1, attributes: [.subscription(uri: "b"): ByteBuffer()])
            for record in [subscribed, other, dead] { try await store.create(record) }
            let listed = try await store.sessions(withAttributePrefix: SessionAttribute.subscriptionPrefix, aliveSince: .at(500))
            #expect(listed == [subscribed])
        }
    ]
}
