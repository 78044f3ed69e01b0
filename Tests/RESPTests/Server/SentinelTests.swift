import RedisServers
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import RESP

extension RealServerTests {
    @Suite("A client of sentinels", .timeLimit(.minutes(2)))
    struct SentinelTests {
        /// Writers that each push numbers of their own, one after the other, and keep an account of what became of each.
        private final class Load: Sendable {
            struct Account {
                /// Acknowledged, with the time.
                var acknowledged: [String: ContinuousClock.Instant] = [:]
                /// May have been executed.
                var unknown: Set<String> = []
                /// Certainly not executed.
                var refused: Set<String> = []
                var others: [String] = []
            }

            let account = NIOLockedValueBox(Account())
            let isStopped = NIOLockedValueBox(false)

            func run(_ client: RedisClient, writers: Int = 16) async {
                await withTaskGroup(of: Void.self) { group in
                    for writer in 0..<writers {
                        group.addTask { [self] in
                            var number = 0
                            while !isStopped.withLockedValue({ $0 }), !Task.isCancelled {
                                number += 1
                                await write(client, "\(writer)-\(number)")
                            }
                        }
                    }
                }
            }

            private func write(_ client: RedisClient, _ id: String) async {
                do {
                    _ = try await client.send(RedisCommand("RPUSH", "log", .text(id)))
                    account.withLockedValue { $0.acknowledged[id] = .now }
                } catch let error as RedisError where error.mayHaveBeenExecuted {
                    account.withLockedValue { _ = $0.unknown.insert(id) }
                } catch let error as RedisError where error.isOutage {
                    account.withLockedValue { _ = $0.refused.insert(id) }
                } catch {
                    account.withLockedValue { $0.others.append("\(error)") }
                }
            }

            var acknowledged: Int { account.withLockedValue { $0.acknowledged.count } }
        }

        /// What holds after any failover: nothing is there twice, nothing that was refused is there, and of what was acknowledged only the newest before
        /// the failure may be missing, because Redis replicates after it answers.
        /// Returns how many acknowledged ones are missing.
        @discardableResult
        private func check(_ load: Load, _ client: RedisClient, failure: ContinuousClock.Instant, recovery: ContinuousClock.Instant)
            async throws -> Int
        {
            let log = try await client.send(RedisCommand("LRANGE", "log", 0, -1)).elements?.compactMap(\.text) ?? []
            let account = load.account.withLockedValue { $0 }
            #expect(account.others.isEmpty, "\(account.others.first ?? "")")
            let present = Set(log)
            #expect(present.count == log.count, "a command was executed twice")
            #expect(account.refused.isDisjoint(with: present), "what was told not to be executed was")
            let missing = account.acknowledged.filter { !present.contains($0.key) }
            #expect(missing.allSatisfy { $0.value > failure - .seconds(1) && $0.value <= recovery }, "old acknowledged writes are lost")
            print(
                "acknowledged \(account.acknowledged.count), of them lost \(missing.count); unknown \(account.unknown.count), refused \(account.refused.count)"
            )
            return missing.count
        }

        @Test("finds the master and follows it when it is killed; every command is accounted for")
        func masterKilled() async throws {
            let cluster = try await SentinelCluster.start()
            let listener = Recorder<String>()
            try await withClient(cluster.configuration()) { client async throws in
                try await client.connected()
                #expect(client.state == .connected(to: cluster.servers[0].address))
                let subscription = client.subscribe(["c"]) { _, payload in listener.add(String(buffer: payload)) }
                let load = Load()
                async let running: Void = load.run(client)
                try await eventually("there is load") { load.acknowledged > 1000 }
                let failure = ContinuousClock.now
                cluster.servers[0].kill()
                try await eventually("the client is at the new master", within: 30) {
                    client.state == .connected(to: cluster.servers[1].address)
                }
                let recovery = ContinuousClock.now
                let before = load.acknowledged
                try await eventually("writes go on") { load.acknowledged > before + 1000 }
                load.isStopped.withLockedValue { $0 = true }
                await running
                try await check(load, client, failure: failure, recovery: recovery)
                #expect(client.statistics.failovers == 1)
                try await eventually("the subscription is at the new master") {
                    _ = try await client.send(RedisCommand("PUBLISH", "c", "x"))
                    return listener.count > 0
                }
                #expect(subscription.state == .subscribed(isResumed: true))
                print("recovered after \(recovery - failure)")
            }
        }

        @Test("leaves a frozen master when the sentinels name another, before its own patience ends")
        func masterFrozen() async throws {
            let cluster = try await SentinelCluster.start()
            var configuration = cluster.configuration()
            configuration.silenceLimit = .seconds(30)
            configuration.pingInterval = .seconds(30)
            try await withClient(configuration) { client async throws in
                try await client.connected()
                let load = Load()
                async let running: Void = load.run(client)
                try await eventually("there is load") { load.acknowledged > 100 }
                let failure = ContinuousClock.now
                cluster.servers[0].freeze()
                try await eventually("the client is at the new master", within: 25) {
                    client.state == .connected(to: cluster.servers[1].address)
                }
                let recovery = ContinuousClock.now
                let before = load.acknowledged
                try await eventually("writes go on") { load.acknowledged > before + 100 }
                // The old master believes that it is one until the sentinels tell it otherwise; the client does not go back.
                cluster.servers[0].thaw()
                try await eventually("it is a replica", within: 30) { try cluster.servers[0].run("ROLE").hasPrefix("slave") }
                load.isStopped.withLockedValue { $0 = true }
                await running
                try await check(load, client, failure: failure, recovery: recovery)
                #expect(client.state == .connected(to: cluster.servers[1].address))
                print("recovered after \(recovery - failure)")
            }
        }

        @Test("goes over to the new master of a failover that an operator asked for")
        func switchover() async throws {
            let cluster = try await SentinelCluster.start()
            try await withClient(cluster.configuration()) { client async throws in
                try await client.connected()
                let load = Load()
                async let running: Void = load.run(client)
                try await eventually("there is load") { load.acknowledged > 100 }
                let failure = ContinuousClock.now
                #expect(try cluster.sentinels[0].run("SENTINEL", "FAILOVER", SentinelCluster.name) == "OK")
                try await eventually("the client is at the new master", within: 30) {
                    client.state == .connected(to: cluster.servers[1].address)
                }
                let recovery = ContinuousClock.now
                let before = load.acknowledged
                try await eventually("writes go on") { load.acknowledged > before + 100 }
                load.isStopped.withLockedValue { $0 = true }
                await running
                // Nothing is sent from before the replica is promoted until it is; only replication that lags could lose something.
                #expect(try await check(load, client, failure: failure, recovery: recovery) < 20)
            }
        }

        @Test("knows the other sentinels from one, and gets along without it")
        func learns() async throws {
            let cluster = try await SentinelCluster.start(password: "s3cret")
            var configuration = cluster.configuration([cluster.sentinels[0]])
            configuration.credentials = RedisCredentials(password: "s3cret")
            try await withClient(configuration) { client async throws in
                try await client.connected()
                cluster.sentinels[0].kill()
                cluster.servers[0].kill()
                try await eventually("the client is at the new master", within: 30) {
                    client.state == .connected(to: cluster.servers[1].address)
                }
                #expect(try await client.text(RedisCommand("SET", "k", "v")) == "OK")
            }
        }

        @Test("says what is wrong when no sentinel answers or none knows the master")
        func unknown() async throws {
            let sentinel = try await RedisServer.start(.sentinel)
            let nobody = RedisAddress(host: "127.0.0.1", port: try RedisServer.freePort())
            var configuration = RedisConfiguration(target: .sentinels([nobody, sentinel.address], master: "nope"))
            configuration.commandTimeout = .milliseconds(300)
            try await withClient(configuration) { client async throws in
                #expect(await failure { try await client.send(RedisCommand("PING")) } == .timeout(wasSent: false))
                try await eventually("the reason is known") { "\(client.state)".contains("no sentinel of 2 names the master") }
            }
        }

        @Test("does not use a server that is no master, whatever a sentinel says")
        func wrongRole() async throws {
            let master = try await RedisServer.start()
            let sentinel = try await RedisServer.start(.sentinel) { _ in ["sentinel monitor m 127.0.0.1 \(master.port) 2"] }
            try master.run("REPLICAOF", "127.0.0.1", "1")
            var configuration = RedisConfiguration(target: .sentinels([sentinel.address], master: "m"))
            configuration.commandTimeout = .milliseconds(300)
            try await withClient(configuration) { client async throws in
                #expect(await failure { try await client.send(RedisCommand("GET", "x")) } == .timeout(wasSent: false))
                try await eventually("the reason is known") { "\(client.state)".contains("role is \"slave\"") }
                try master.run("REPLICAOF", "NO", "ONE")
                #expect(try await client.send(RedisCommand("GET", "x"), timeout: .seconds(10)) == .null)
            }
        }
    }
}
