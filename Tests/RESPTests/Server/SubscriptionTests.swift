import RedisServers
import NIOCore
import Testing

@testable import RESP

extension RealServerTests {
    @Suite("Subscriptions", .timeLimit(.minutes(2)))
    struct SubscriptionTests {
        private final class Listener: Sendable {
            let messages = Recorder<String>()
            let states = Recorder<SubscriptionState>()

            func listen(_ client: RedisClient, _ channels: [String]) async throws -> RedisSubscription {
                let subscription = client.subscribe(channels) { [messages] channel, payload in
                    messages.add("\(channel) \(String(buffer: payload))")
                } onState: { [states] state in
                    states.add(state)
                }
                try await eventually("it is subscribed") { subscription.state == .subscribed(isResumed: false) }
                return subscription
            }
        }

        @Test("receive what is published on their channels, in order, in both protocols", arguments: [true, false])
        func messages(isRESP3: Bool) async throws {
            let server = try await RedisServer.start { _ in isRESP3 ? [] : ["rename-command HELLO \"\""] }
            try await withClient(server) {
                $0.pingInterval = .milliseconds(20)
            } _: { client async throws in
                let listener = Listener()
                let subscription = try await listener.listen(client, ["a", "b"])
                for number in 0..<1000 {
                    let _: EventLoopFuture<RESPValue> = client.send(
                        RedisCommand("PUBLISH", number.isMultiple(of: 2) ? "a" : "b", .integer(number)))
                }
                _ = try await client.send(RedisCommand("PUBLISH", "c", "nobody hears it"))
                try await eventually("they arrive") { listener.messages.count >= 1000 }
                #expect(listener.messages.values == (0..<1000).map { "\($0.isMultiple(of: 2) ? "a" : "b") \($0)" })
                #expect(client.statistics.messages == 1000)
                let bytes = client.statistics.bytesOut
                try await eventually("it is pinged") { client.statistics.bytesOut > bytes + 200 }
                #expect(subscription.state == .subscribed(isResumed: false), "answers to PING are understood")
                #expect(client.statistics.subscriptionLosses == 0)
                subscription.cancel()
                try await eventually("it ends") { listener.states.values.last == .ended }
            }
        }

        @Test("take channels and leave them while they go on")
        func channels() async throws {
            let server = try await RedisServer.start()
            try await withClient(server) { client async throws in
                let listener = Listener()
                let subscription = try await listener.listen(client, [])
                try await subscription.add(["a", "b"]).get()
                try await subscription.add(["a"]).get()
                #expect(try await client.int(RedisCommand("PUBLISH", "a", 1)) == 1)
                // Messages on their way would be dropped.
                try await eventually("it arrives") { listener.messages.count == 1 }
                subscription.remove(["a"])
                try await eventually("it is left") { try await client.int(RedisCommand("PUBLISH", "a", 2)) == 0 }
                try await subscription.add(["a"]).get()
                #expect(try await client.int(RedisCommand("PUBLISH", "a", 3)) == 1)
                #expect(try await client.int(RedisCommand("PUBLISH", "b", 4)) == 1)
                try await eventually("they arrive") { listener.messages.count >= 3 }
                #expect(listener.messages.values == ["a 1", "a 3", "b 4"])
            }
        }

        @Test("are made again after a restart, and tell that there is a gap")
        func restart() async throws {
            let server = try await RedisServer.start()
            try await withClient(server) {
                $0.commandTimeout = .seconds(20)
            } _: { client async throws in
                let listener = Listener()
                let subscription = try await listener.listen(client, ["a"])
                _ = try await client.send(RedisCommand("PUBLISH", "a", 1))
                try await eventually("it arrives") { listener.messages.count == 1 }
                server.kill()
                try await eventually("it is interrupted") { if case .interrupted = subscription.state { true } else { false } }
                let added = subscription.add(["b"])
                try await server.start()
                try await eventually("it is subscribed again") { subscription.state == .subscribed(isResumed: true) }
                try await added.get()
                #expect(try await client.int(RedisCommand("PUBLISH", "a", 2)) == 1)
                #expect(try await client.int(RedisCommand("PUBLISH", "b", 3)) == 1)
                try await eventually("they arrive") { listener.messages.count == 3 }
                #expect(listener.messages.values == ["a 1", "a 2", "b 3"])
                let states = listener.states.values.filter { if case .interrupted = $0 { false } else { true } }
                #expect(states == [.subscribed(isResumed: false), .subscribed(isResumed: true)])
                #expect(client.statistics.subscriptionLosses == 1)
            }
        }

        @Test("notice a frozen server")
        func frozen() async throws {
            let server = try await RedisServer.start()
            try await withClient(server) {
                $0.pingInterval = .milliseconds(100)
                $0.silenceLimit = .milliseconds(300)
            } _: { client async throws in
                let listener = Listener()
                let subscription = try await listener.listen(client, ["a"])
                let start = ContinuousClock.now
                server.freeze()
                try await eventually("it is noticed") { if case .interrupted = subscription.state { true } else { false } }
                #expect(ContinuousClock.now - start < .seconds(6))
                server.thaw()
                try await eventually("it is subscribed again") { subscription.state == .subscribed(isResumed: true) }
            }
        }

        @Test("end with the client, and whoever waits for a channel is told")
        func shutdown() async throws {
            let server = try await RedisServer.start()
            let listener = Listener()
            let (subscription, added) = try await withClient(server) { client async throws in
                let subscription = try await listener.listen(client, ["a"])
                server.freeze()
                let added = subscription.add(["b"])
                try await client.eventLoop.submit {}.get()
                return (subscription, added)
            }
            #expect(subscription.state == .ended)
            #expect(listener.states.values.last == .ended)
            await #expect(throws: RedisError.shutdown) { try await added.get() }
            await #expect(throws: RedisError.shutdown) { try await subscription.add(["c"]).get() }
        }

        @Test("that the access control list forbids say so")
        func forbidden() async throws {
            let server = try await RedisServer.start { _ in ["user default on nopass ~* resetchannels &mine +@all"] }
            try await withClient(server) { client async throws in
                let subscription = client.subscribe(["other"]) { _, _ in }
                try await eventually("it is refused") { "\(subscription.state)".contains("NOPERM") }
                subscription.cancel()
            }
        }
    }
}
