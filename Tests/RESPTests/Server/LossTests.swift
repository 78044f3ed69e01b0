import RedisServers
import NIOCore
import NIOPosix
import Testing

@testable import RESP

extension RealServerTests {
    @Suite("A client whose server goes", .timeLimit(.minutes(2)))
    struct LossTests {
        @Test("fails what it had sent, keeps what it had not, and goes on when the server is there again")
        func restart() async throws {
            let server = try await RedisServer.start()
            let states = Recorder<RedisClientState>()
            try await withClient(server) {
                $0.commandTimeout = .seconds(20)
            } _: { client async throws in
                client.onStateChange { states.add($0) }
                try await client.connected()
                server.freeze()
                let sent: EventLoopFuture<RESPValue> = client.send(RedisCommand("INCR", "sent"))
                try await eventually("it is written") { client.statistics.bytesOut > 0 && client.statistics.queuedCommands == 1 }
                // What is submitted after a turn of the loop follows the first to the socket.
                try await client.eventLoop.submit {}.get()
                server.kill()
                #expect(await failure { try await sent.get() } == .connectionLost(wasSent: true))
                try await eventually("it knows") { !client.state.isConnected }
                let unsent: EventLoopFuture<RESPValue> = client.send(RedisCommand("INCR", "unsent"))
                try await server.start()
                #expect(try await unsent.get().int == 1)
                #expect(client.statistics.reconnects == 1)
                #expect(client.statistics.failovers == 0)
                #expect(states.values.first == .connected(to: server.address) || states.values.first?.isConnected == false)
                #expect(states.values.last == .connected(to: server.address))
            }
        }

        @Test("notices a frozen server while it has nothing to say, within a bound")
        func frozenIdle() async throws {
            let server = try await RedisServer.start()
            try await withClient(server) {
                $0.pingInterval = .milliseconds(100)
                $0.silenceLimit = .milliseconds(300)
                $0.connectTimeout = .milliseconds(300)
            } _: { client async throws in
                let states = Recorder<String>()
                try await client.connected()
                client.onStateChange { states.add("\($0)") }
                let start = ContinuousClock.now
                server.freeze()
                try await eventually("it is noticed") { !client.state.isConnected }
                #expect(ContinuousClock.now - start < .seconds(6))
                #expect(states.values.first?.contains("silent") == true, "\(states.values)")
                server.thaw()
                #expect(try await client.text(RedisCommand("ECHO", "x")) == "x")
            }
        }

        @Test("notices a frozen server while commands wait, and repeats only what was not sent")
        func frozenBusy() async throws {
            let server = try await RedisServer.start()
            try await withClient(server) {
                $0.pingInterval = .milliseconds(100)
                $0.silenceLimit = .milliseconds(300)
                $0.commandTimeout = .seconds(20)
            } _: { client async throws in
                try await client.connected()
                server.freeze()
                // More than the sockets hold, so that some cannot have been sent.
                let value = RedisArgument.text(String(repeating: "x", count: 1 << 20))
                let futures = (0..<40).map { client.send(RedisCommand("SET", "k-\($0)", value)) }
                var lost = 0
                var answered = 0
                try await eventually("it is noticed") { !client.state.isConnected }
                server.thaw()
                for future in futures {
                    do {
                        _ = try await future.get()
                        answered += 1
                    } catch {
                        #expect(error as? RedisError == .connectionLost(wasSent: true))
                        lost += 1
                    }
                }
                #expect(lost > 0 && answered > 0, "\(lost) lost, \(answered) answered")
                #expect(try await client.int(RedisCommand("DBSIZE")) ?? 0 >= Int64(answered))
            }
        }

        @Test("a server that answers slowly but steadily is not frozen")
        func slow() async throws {
            let server = try await RedisServer.start()
            try await withClient(server) {
                $0.pingInterval = .milliseconds(50)
                $0.silenceLimit = .milliseconds(400)
            } _: { client async throws in
                // A server answers commands that came together together, so they are sent one by one.
                for _ in 0..<8 { #expect(try await client.text(RedisCommand("DEBUG", "SLEEP", "0.1")) == "OK") }
                #expect(client.statistics.reconnects == 0)
            }
        }

        @Test("waits while the server loads its data")
        func loading() async throws {
            let server = try await RedisServer.start { _ in ["key-load-delay 200", "loading-process-events-interval-bytes 1024"] }
            try server.run("DEBUG", "POPULATE", "5000")
            try server.run("SAVE")
            server.kill()
            try await withClient(server) {
                $0.commandTimeout = .seconds(20)
            } _: { client async throws in
                async let size = client.int(RedisCommand("DBSIZE"))
                try await server.start()
                try await eventually("it is loading, and known to be") { "\(client.state)".contains("LOADING") || client.state.isConnected }
                #expect(try await size == 5000)
            }
        }

        @Test("repeats a write that a replica refused, until it is a master or the deadline has passed")
        func readOnly() async throws {
            let server = try await RedisServer.start()
            try server.run("REPLICAOF", "127.0.0.1", "1")
            try await withClient(server) { client async throws in
                #expect(await failure { try await client.send(RedisCommand("INCR", "n"), timeout: .milliseconds(300)) }?.isOutage == true)
                let writes = (0..<10).map { _ in client.send(RedisCommand("INCR", "n")) }
                try await eventually("some are refused") { client.statistics.repeats > 3 }
                try server.run("REPLICAOF", "NO", "ONE")
                let values = try await EventLoopFuture.whenAllSucceed(writes, on: client.eventLoop).get().compactMap(\.int)
                #expect(values == Array(1...10), "each once, in order")
            }
        }

        @Test("repeats what a master refused for want of replicas, on the same connection")
        func noReplicas() async throws {
            let server = try await RedisServer.start { _ in ["min-replicas-to-write 1"] }
            try await withClient(server) { client async throws in
                try await client.connected()
                async let write = client.int(RedisCommand("INCR", "n"))
                try await eventually("it is refused") { client.statistics.repeats > 1 }
                #expect(try await client.text(RedisCommand("ECHO", "x")) == "x", "other commands go on")
                try server.run("CONFIG", "SET", "min-replicas-to-write", "0")
                #expect(try await write == 1)
                #expect(client.statistics.reconnects == 0)
            }
        }

        @Test("follows a server's connection limit back and forth without a storm of attempts")
        func clientKilled() async throws {
            let server = try await RedisServer.start()
            try await withClient(server) { client async throws in
                for number in 1...5 {
                    #expect(try await client.int(RedisCommand("INCR", "n")) == Int64(number))
                    try server.run("CLIENT", "KILL", "TYPE", "normal")
                    try await eventually("it is noticed") { client.statistics.reconnects >= UInt64(number) }
                }
                #expect(client.statistics.connectFailures == 0)
                #expect(client.statistics.reconnects == 5)
            }
        }
    }
}
