import RedisServers
import NIOCore
import NIOPosix
import Testing

@testable import RESP

extension RealServerTests {
    @Suite("A client of a real server", .timeLimit(.minutes(2)))
    struct ClientTests {
        @Test("sends and receives every kind of value, in RESP3")
        func values() async throws {
            let server = try await RedisServer.start()
            try await withClient(server) { client async throws in
                let kinds: [(String, RESPValue)] = [
                    ("string", .blobString(ByteBuffer(string: "Hello World"))), ("integer", .integer(12345)), ("double", .double(3.141)),
                    ("null", .null), ("array", .array([.integer(0), .integer(1), .integer(2)])),
                    ("set", .set([.integer(0), .integer(1), .integer(2)])), ("bignum", .bigNumber("1234567999999999999999999999999999999")),
                    ("true", .boolean(true)), ("false", .boolean(false)),
                    ("verbatim", .verbatim(format: "txt", ByteBuffer(string: "This is a verbatim\nstring"))),
                    ("attrib", .blobString(ByteBuffer(string: "Some real reply following the attribute"))),
                ]
                for (name, value) in kinds { #expect(try await client.send(RedisCommand("DEBUG", "PROTOCOL", .text(name))) == value) }
                let map = try await client.send(RedisCommand("DEBUG", "PROTOCOL", "map"))
                #expect(map.entries?.map(\.value) == [.boolean(false), .boolean(true), .boolean(false)])
                guard case .map = map else {
                    Issue.record("RESP3 has maps")
                    return
                }
            }
        }

        @Test("answers commands of one caller in the order of the calls, on one connection, together with those of others")
        func pipelining() async throws {
            let server = try await RedisServer.start()
            try await withClient(server) { client async throws in
                try await client.connected()
                let order = Recorder<Int64>()
                let futures = (0..<10_000).map { _ in
                    let future: EventLoopFuture<RESPValue> = client.send(RedisCommand("INCR", "n"))
                    future.whenSuccess { order.add($0.int ?? -1) }
                    return future
                }
                _ = try await EventLoopFuture.whenAllSucceed(futures, on: client.eventLoop).get()
                #expect(order.values == Array(1...10_000))
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for task in 0..<64 {
                        group.addTask { () async throws in
                            for number in 1...100 { #expect(try await client.int(RedisCommand("INCR", "task-\(task)")) == Int64(number)) }
                        }
                    }
                    try await group.waitForAll()
                }
                #expect(try server.run("INFO", "clients").contains("connected_clients:2"), "the client's and redis-cli's")
                #expect(client.statistics.queuedCommands == 0)
                #expect(client.statistics.queuedBytes == 0)
                #expect(client.statistics.commands == 16_400)
            }
        }

        @Test("carries values of any bytes and of many megabytes, between small ones")
        func bigValues() async throws {
            let server = try await RedisServer.start()
            try await withClient(server) { client async throws in
                var big = ByteBuffer()
                for number in 0..<(1 << 19) { big.writeInteger(UInt32(truncatingIfNeeded: number &* 2_654_435_761)) }
                let futures = (0..<4).flatMap { number in
                    [
                        client.send(RedisCommand("SET", "big-\(number)", .bytes(big))),
                        client.send(RedisCommand("SET", "small-\(number)", .integer(number))),
                        client.send(RedisCommand("GET", "big-\(number)")), client.send(RedisCommand("GET", "small-\(number)")),
                    ]
                }
                let values = try await EventLoopFuture.whenAllSucceed(futures, on: client.eventLoop).get()
                for number in 0..<4 {
                    #expect(values[number * 4 + 2].bytes == big)
                    #expect(values[number * 4 + 3].int == Int64(number))
                }
            }
        }

        @Test("an error of the server is the command's own, and the next is unharmed")
        func serverErrors() async throws {
            let server = try await RedisServer.start()
            try await withClient(server) { client async throws in
                async let first = failure { try await client.send(RedisCommand("NOSUCH")) }
                async let second = client.text(RedisCommand("ECHO", "x"))
                guard case .server(let error) = await first else {
                    Issue.record("no error")
                    return
                }
                #expect(error.message.hasPrefix("ERR unknown command"))
                #expect(try await second == "x")
                _ = try await client.send(RedisCommand("SET", "s", "x"))
                #expect(await failure { try await client.send(RedisCommand("LPUSH", "s", "x")) }?.isOutage == false)
                #expect(client.statistics.serverErrors == 2)
                #expect(client.statistics.failures == 0)
            }
        }

        @Test("runs scripts that the server does not know, and again after they were flushed")
        func scripts() async throws {
            let server = try await RedisServer.start()
            let script = RedisScript("return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}")
            try await withClient(server) { client async throws in
                func run(_ argument: Int) async throws -> [String?] {
                    let value = try await client.run(script, keys: ["k"], arguments: [.integer(argument)])
                    return (value.elements ?? []).map { $0.text ?? $0.int.map { "\($0)" } }
                }
                #expect(try await run(7) == ["k", "7", "1"])
                #expect(try await run(8) == ["k", "8", "2"])
                #expect(client.statistics.repeats == 0, "it is loaded before it runs first")
                try server.run("SCRIPT", "FLUSH")
                let futures = (0..<100).map { _ in client.run(script, keys: ["k"], arguments: [1]) }
                let values = try await EventLoopFuture.whenAllSucceed(futures, on: client.eventLoop).get()
                #expect(values.compactMap { $0.elements?.last?.int } == Array(3...102))
                let error = await failure { try await client.run(RedisScript("return nope("), keys: [], arguments: []) }
                #expect("\(String(describing: error))".contains("compil"), "why the server does not know it")
            }
        }

        @Test("a command ends at its deadline, and its late answer is nobody else's")
        func deadline() async throws {
            let server = try await RedisServer.start()
            try await withClient(server) {
                $0.silenceLimit = .seconds(30)
            } _: { client async throws in
                try await client.connected()
                try server.run("CLIENT", "PAUSE", "5000", "ALL")
                let start = ContinuousClock.now
                #expect(
                    await failure { try await client.send(RedisCommand("ECHO", "late"), timeout: .milliseconds(100)) }
                        == .timeout(wasSent: true))
                let took = ContinuousClock.now - start
                #expect(took >= .milliseconds(100) && took < .seconds(4))
                try server.run("CLIENT", "UNPAUSE")
                #expect(try await client.text(RedisCommand("ECHO", "next")) == "next")
                #expect(client.statistics.timeouts == 1)
                #expect(client.statistics.reconnects == 0)
            }
        }

        @Test("a command that cannot be sent ends at its deadline too")
        func deadlineWithoutServer() async throws {
            var configuration = RedisConfiguration(target: .server(RedisAddress(host: "127.0.0.1", port: try RedisServer.freePort())))
            configuration.commandTimeout = .milliseconds(100)
            try await withClient(configuration) { client async throws in
                #expect(await failure { try await client.send(RedisCommand("PING")) } == .timeout(wasSent: false))
                try await eventually("the reason is known") {
                    guard case .reconnecting(_, let reason) = client.state else { return false }
                    return reason.contains("127.0.0.1") && reason.contains("refused")
                }
            }
        }

        @Test("refuses commands beyond the bounds of the queue, counted, and goes on")
        func queueBounds() async throws {
            let server = try await RedisServer.start()
            try await withClient(server) {
                $0.maxQueuedCommands = 10
                $0.maxQueuedBytes = 1000
            } _: { client async throws in
                try await client.connected()
                server.freeze()
                let futures = (0..<10).map { _ in client.send(RedisCommand("INCR", "n")) }
                #expect(await failure { try await client.send(RedisCommand("PING")) } == .queueFull(limit: "maxQueuedCommands is 10"))
                #expect(client.statistics.queuedCommands == 10)
                server.thaw()
                #expect(try await EventLoopFuture.whenAllSucceed(futures, on: client.eventLoop).get().last?.int == 10)
                let big = RedisCommand("SET", "x", .text(String(repeating: "x", count: 1000)))
                #expect(await failure { try await client.send(big) } == .queueFull(limit: "maxQueuedBytes is 1000"))
                #expect(client.statistics.rejected == 2)
                #expect(try await client.int(RedisCommand("INCR", "n")) == 11)
            }
        }

        @Test("shutdown answers what was taken, refuses what comes later and tells the state")
        func shutdown() async throws {
            let server = try await RedisServer.start()
            let states = Recorder<RedisClientState>()
            let configuration = RedisConfiguration(target: .server(server.address))
            let client = RedisClient(configuration: configuration, eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: .quiet)
            client.onStateChange { states.add($0) }
            try await client.connected()
            let futures = (0..<1000).map { _ in client.send(RedisCommand("INCR", "n")) }
            await client.shutdown()
            await client.shutdown()
            #expect(try await EventLoopFuture.whenAllSucceed(futures, on: client.eventLoop).get().count == 1000)
            #expect(await failure { try await client.send(RedisCommand("PING")) } == .shutdown)
            #expect(client.state == .shutDown)
            #expect(states.values.last == .shutDown)
            try await eventually("the connection is closed") { try server.run("INFO", "clients").contains("connected_clients:1") }
            #expect(client.statistics.queuedCommands == 0)
        }

        @Test("shutdown without a server does not wait")
        func shutdownWithoutServer() async throws {
            let configuration = RedisConfiguration(target: .server(RedisAddress(host: "127.0.0.1", port: try RedisServer.freePort())))
            let client = RedisClient(configuration: configuration, eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: .quiet)
            let future: EventLoopFuture<RESPValue> = client.send(RedisCommand("PING"), timeout: .seconds(30))
            await client.shutdown()
            #expect(await failure { try await future.get() } == .shutdown)
            #expect(client.statistics.queuedCommands == 0)
        }

        @Test("a server that speaks something else is given up, with the reason")
        func nonsense() async throws {
            let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Greeter()) }
                }
                .bind(host: "127.0.0.1", port: 0).get()
            var configuration = RedisConfiguration(target: .server(RedisAddress(host: "127.0.0.1", port: listener.localAddress!.port!)))
            configuration.commandTimeout = .milliseconds(200)
            try await withClient(configuration) { client async throws in
                #expect(await failure { try await client.send(RedisCommand("PING")) } == .timeout(wasSent: false))
                try await eventually("the reason is known") { "\(client.state)".contains("unknown type") }
            }
            try await listener.close()
        }
    }
}

/// Speaks first, and not RESP.
private final class Greeter: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(NIOAny(ByteBuffer(string: "HTTP/1.1 400 Bad Request\r\n\r\n")), promise: nil)
    }
}
