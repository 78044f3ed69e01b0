import NIOCore
import NIOPosix
import Testing

@testable import RESP

@Suite("The queue of commands")
struct CommandQueueTests {
    private static let ok = RESPValue.simpleString("OK")
    private let loop = MultiThreadedEventLoopGroup.singleton.any()

    /// A command that is known by its bytes.
    private func command(_ name: String, deadline: Int64 = 100, script: RedisScript? = nil) -> PendingCommand {
        let promise = loop.makePromise(of: RESPValue.self)
        promise.succeed(.null)
        return PendingCommand(bytes: ByteBuffer(string: name), deadline: .time(deadline), reply: .promise(promise), script: script)
    }

    private func sendAll(_ queue: inout CommandQueue) -> [String] {
        var sent: [String] = []
        while let bytes = queue.nextToSend() {
            let text = String(buffer: bytes)
            sent.append(text.contains("LOAD") ? "LOAD" : text)
        }
        return sent
    }

    private func answer(_ queue: inout CommandQueue, _ value: RESPValue = ok) -> String {
        switch queue.answered(value) {
        case .none: "none"
        case .complete(let command, .success): "\(String(buffer: command.bytes)) ok"
        case .complete(let command, .failure(let error)): "\(String(buffer: command.bytes)) \(error)"
        case .changeServer: "change"
        case .again(let later): later ? "later" : "again"
        case .unexpected: "unexpected"
        }
    }

    private func error(_ text: String) -> RESPValue { .error(RESPServerError(text)) }

    @Test("answers belong to the commands in the order in which they were sent")
    func order() {
        var queue = CommandQueue()
        for name in ["a", "b", "c"] { queue.append(command(name)) }
        #expect(sendAll(&queue) == ["a", "b", "c"])
        #expect(answer(&queue) == "a ok")
        queue.append(command("d"))
        #expect(sendAll(&queue) == ["d"])
        #expect((0..<3).map { _ in answer(&queue) } == ["b ok", "c ok", "d ok"])
        #expect(queue.isEmpty)
        #expect(answer(&queue) == "unexpected")
    }

    @Test("what was sent is lost with the connection, what was not waits for the next")
    func loss() {
        var queue = CommandQueue()
        queue.append(command("a"))
        queue.append(command("b"))
        _ = sendAll(&queue)
        queue.append(command("c"))
        queue.append(command("d"))
        #expect(queue.connectionLost().map { String(buffer: $0.bytes) } == ["a", "b"])
        #expect(sendAll(&queue) == ["c", "d"])
    }

    @Test(
        "what a server refuses without executing it is sent again, before what waits, in its order",
        arguments: [
            "READONLY You can't write against a read only replica.", "LOADING Redis is loading", "MASTERDOWN Link with MASTER is down",
        ])
    func refused(text: String) {
        var queue = CommandQueue()
        for name in ["a", "b", "c"] { queue.append(command(name)) }
        _ = sendAll(&queue)
        queue.append(command("d"))
        #expect(answer(&queue, error(text)) == "change")
        #expect(answer(&queue) == "b ok")
        #expect(answer(&queue, error(text)) == "change")
        #expect(!queue.hasSent)
        #expect(queue.connectionLost().isEmpty)
        #expect(sendAll(&queue) == ["a", "c", "d"])
    }

    @Test(
        "what a server will take later is sent again later, on the same connection",
        arguments: [
            "TRYAGAIN Multiple keys", "CLUSTERDOWN Hash slot", "NOREPLICAS Not enough", "BUSY Redis is busy",
        ])
    func later(text: String) {
        var queue = CommandQueue()
        queue.append(command("a"))
        queue.append(command("b"))
        _ = sendAll(&queue)
        #expect(answer(&queue, error(text)) == "later")
        #expect(sendAll(&queue) == [])
        #expect(!queue.isEmpty)
        queue.releaseDelayed()
        #expect(sendAll(&queue) == ["a"])
        #expect(answer(&queue) == "b ok")
        #expect(answer(&queue) == "a ok")
    }

    @Test("other errors are answers")
    func errors() {
        var queue = CommandQueue()
        queue.append(command("a"))
        queue.append(command("b"))
        _ = sendAll(&queue)
        #expect(answer(&queue, error("WRONGTYPE x")) == "a Redis answered: WRONGTYPE x")
        #expect(answer(&queue, error("NOSCRIPT x")) == "b Redis answered: NOSCRIPT x", "it runs no script of ours")
    }

    @Test("a script is loaded once on each connection, before it runs first")
    func scripts() {
        var queue = CommandQueue()
        let script = RedisScript("return 1")
        for name in ["a", "b"] { queue.append(command(name, script: script)) }
        #expect(sendAll(&queue) == ["LOAD", "a", "b"])
        #expect((0..<3).map { _ in answer(&queue) } == ["none", "a ok", "b ok"])
        queue.append(command("c", script: script))
        #expect(sendAll(&queue) == ["c"])
        #expect(queue.connectionLost().count == 1)
        queue.append(command("d", script: script))
        queue.append(command("e", script: RedisScript("return 2")))
        #expect(sendAll(&queue) == ["LOAD", "d", "LOAD", "e"])
    }

    @Test("commands whose script was flushed are sent again in their order, before those that came later")
    func flushedScript() {
        var queue = CommandQueue()
        let script = RedisScript("return 1")
        for name in ["a", "b", "c"] { queue.append(command(name, script: script)) }
        #expect(sendAll(&queue) == ["LOAD", "a", "b", "c"])
        #expect(answer(&queue) == "none")
        #expect(answer(&queue, error("NOSCRIPT x")) == "again")
        queue.append(command("d", script: script))
        #expect(sendAll(&queue) == [], "what came later waits")
        #expect(answer(&queue, error("NOSCRIPT x")) == "again")
        #expect(answer(&queue) == "c ok", "somebody else loaded it")
        #expect(sendAll(&queue) == ["LOAD", "a", "b", "d"])
        #expect((0..<4).map { _ in answer(&queue) } == ["none", "a ok", "b ok", "d ok"])
        #expect(queue.isEmpty)
    }

    @Test("a script that the server never knows is not loaded for ever")
    func unknownScript() {
        var queue = CommandQueue()
        queue.append(command("a", script: RedisScript("return 1")))
        var rounds: [[String]] = []
        repeat {
            rounds.append(sendAll(&queue))
            #expect(answer(&queue) == "none", "the answer to LOAD")
        } while answer(&queue, error("NOSCRIPT x")) == "again"
        #expect(rounds == Array(repeating: ["LOAD", "a"], count: CommandQueue.maxScriptSends))
        #expect(queue.isEmpty)
    }

    @Test(
        "whoever runs a script that the server does not take is told why, and the next one tries again",
        arguments: ["ERR Error compiling script", "NOPERM this user has no permissions to run the 'script|load' command"])
    func refusedScript(reason: String) {
        var queue = CommandQueue()
        let script = RedisScript("return 1")
        for name in ["a", "b"] { queue.append(command(name, script: script)) }
        #expect(sendAll(&queue) == ["LOAD", "a", "b"])
        #expect(answer(&queue, error(reason)) == "none", "the answer to LOAD")
        for name in ["a", "b"] { #expect(answer(&queue, error("NOSCRIPT x")) == "\(name) Redis answered: \(reason)") }
        queue.append(command("c", script: script))
        #expect(sendAll(&queue) == ["LOAD", "c"])
        #expect((0..<2).map { _ in answer(&queue) } == ["none", "c ok"])
    }

    @Test("a script that was not loaded because the server was busy is loaded again, before the commands that run it")
    func scriptOfBusyServer() {
        var queue = CommandQueue()
        queue.append(command("a", script: RedisScript("return 1")))
        #expect(sendAll(&queue) == ["LOAD", "a"])
        #expect(answer(&queue, error("BUSY x")) == "none")
        #expect(answer(&queue, error("BUSY x")) == "later")
        queue.releaseDelayed()
        #expect(sendAll(&queue) == ["LOAD", "a"])
        #expect((0..<2).map { _ in answer(&queue) } == ["none", "a ok"])
    }

    @Test("commands that wait for their script again survive the connection and their deadline is kept")
    func heldCommands() {
        var queue = CommandQueue()
        for (name, deadline) in [("a", 10), ("b", 90), ("c", 90)] {
            queue.append(command(name, deadline: Int64(deadline), script: RedisScript("return 1")))
        }
        _ = sendAll(&queue)
        #expect(answer(&queue) == "none")
        #expect(answer(&queue, error("NOSCRIPT x")) == "again")
        #expect(answer(&queue, error("NOSCRIPT x")) == "again")
        #expect(queue.expire(now: .time(20)).map { String(buffer: $0.0.bytes) } == ["a"])
        #expect(queue.connectionLost().map { String(buffer: $0.bytes) } == ["c"])
        #expect(sendAll(&queue) == ["LOAD", "b"])
    }

    @Test("commands expire wherever they are, and the answers to those that were sent are dropped")
    func expiry() {
        var queue = CommandQueue()
        for (name, deadline) in [("sent", 10), ("sent later", 30), ("refused", 20), ("delayed", 20)] {
            queue.append(command(name, deadline: Int64(deadline)))
        }
        queue.append(command("other", deadline: 90))
        _ = sendAll(&queue)
        queue.append(command("waiting", deadline: 20))
        #expect(queue.earliestDeadline == .time(10))
        #expect(queue.expire(now: .time(9)).isEmpty)
        #expect(
            queue.expire(now: .time(10)).map { "\(String(buffer: $0.0.bytes)) \($0.1)" } == ["sent \(RedisError.timeout(wasSent: true))"])
        #expect(answer(&queue) == "none")
        #expect(answer(&queue) == "sent later ok")
        #expect(answer(&queue, error("READONLY x")) == "change")
        #expect(answer(&queue, error("TRYAGAIN x")) == "later")
        #expect(queue.earliestDeadline <= .time(20))
        let expired = queue.expire(now: .time(25)).map { "\(String(buffer: $0.0.bytes)) \($0.1)" }
        #expect(
            expired == [
                "refused Redis answered: READONLY x", "delayed Redis answered: TRYAGAIN x", "waiting \(RedisError.timeout(wasSent: false))",
            ])
        #expect(queue.earliestDeadline == .time(90))
        #expect(answer(&queue) == "other ok")
        #expect(queue.isEmpty)
    }

    @Test("the client's own commands come first, expire never and are lost in silence")
    func ownCommands() {
        var queue = CommandQueue()
        queue.append(command("a"))
        queue.prepend(ByteBuffer(string: "PING"))
        #expect(sendAll(&queue) == ["PING", "a"])
        #expect(queue.expire(now: .time(50)).isEmpty)
        #expect(answer(&queue) == "none")
        queue.prepend(ByteBuffer(string: "PING"))
        #expect(queue.connectionLost().map { String(buffer: $0.bytes) } == ["a"])
        #expect(queue.isEmpty)
    }
}

extension NIODeadline {
    static func time(_ seconds: Int64) -> NIODeadline { .uptimeNanoseconds(UInt64(seconds) * 1_000_000_000) }
}
