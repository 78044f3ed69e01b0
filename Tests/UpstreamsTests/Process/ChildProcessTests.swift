import Foundation
import GatewayCore
import Logging
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import Upstreams

@Suite(.serialized) struct ChildProcessTests {
    private let quick = ChildLimits(closeInputGrace: .milliseconds(100), terminateGrace: .milliseconds(100))

    @Test("Lines go both ways")
    func echo() async throws {
        let recorder = Recorder()
        let child = try await ChildProcess.startForTest("cat", recorder: recorder)
        #expect(try await child.sendForTest("{\"id\":1}") == .sent)
        #expect(try await child.sendForTest("{\"id\":2}") == .sent)
        try await eventually("both lines") { recorder.count == 2 }
        #expect(recorder.lines == ["{\"id\":1}", "{\"id\":2}"])
        try await child.stopForTest()
        let exit = try await recorder.exit()
        #expect(exit.status == .exited(code: 0))
        #expect(exit.reason == .stopRequested)
        #expect(try await child.sendForTest("late") == .closed)
    }

    @Test("100,000 lines in one burst arrive whole and in order")
    func burst() async throws {
        let next = NIOLockedValueBox((expected: 0, wrong: 0))
        let recorder = Recorder(keepsLines: false) { _, line in
            let number = Int(String(buffer: line).split(separator: " ").last ?? "")
            next.withLockedValue {
                if number != $0.expected { $0.wrong += 1 }
                $0.expected += 1
            }
        }
        let child = try await ChildProcess.startForTest("cat", recorder: recorder)
        try await child.eventLoop.submit {
            for number in 0..<100_000 {
                #expect(
                    child.send(
                        ByteBuffer(
                            string:
                                "a message that is about a hundred bytes long, or a little more, so that it is like a real one \(number)"))
                        == .sent)
            }
        }.get()
        try await eventually("all lines", within: 30) { recorder.count == 100_000 }
        #expect(next.withLockedValue { $0.wrong } == 0)
        try await child.stopForTest()
        _ = try await recorder.exit()
    }

    @Test("A message of 10 MB passes in both directions between small ones")
    func bigMessage() async throws {
        let recorder = Recorder()
        let child = try await ChildProcess.startForTest("cat", recorder: recorder)
        let big = String(repeating: "x", count: 10_000_000)
        try await child.eventLoop.submit {
            #expect(child.send(ByteBuffer(string: "before")) == .sent)
            #expect(child.send(ByteBuffer(string: big)) == .sent)
            #expect(child.send(ByteBuffer(string: "after")) == .sent)
        }.get()
        try await eventually("three lines", within: 30) { recorder.count == 3 }
        #expect(recorder.lines == ["before", big, "after"])
        try await child.stopForTest()
        _ = try await recorder.exit()
    }

    @Test("A line past the limit ends the child for that reason, and the lines before it arrive")
    func hugeLine() async throws {
        let recorder = Recorder()
        var limits = quick
        limits.maxLineBytes = 100_000
        _ = try await ChildProcess.startForTest(
            "sh", ["-c", "echo first; head -c 300000 /dev/zero | tr '\\0' x; sleep 60"], limits: limits, recorder: recorder)
        let exit = try await recorder.exit()
        #expect(exit.status == .signalled(signal: SIGKILL))
        #expect(exit.reason == .lineTooLong(limit: 100_000))
        #expect(exit.description.contains("100000 bytes"))
        #expect(recorder.lines == ["first"])
    }

    @Test("Exit codes and signals are reported with the last lines of standard error")
    func exitStatus() async throws {
        let recorder = Recorder()
        _ = try await ChildProcess.startForTest("sh", ["-c", "echo last words >&2; exit 7"], recorder: recorder)
        let exit = try await recorder.exit()
        #expect(exit == ChildExit(status: .exited(code: 7), stderrTail: ["last words"]))
        #expect(exit.description == "the process exited with code 7; last lines of standard error: last words")

        let other = Recorder()
        _ = try await ChildProcess.startForTest("sh", ["-c", "kill -SEGV $$"], recorder: other)
        let crash = try await other.exit()
        #expect(crash.status == .signalled(signal: SIGSEGV))
        #expect(crash.description == "the process was ended by SIGSEGV (signal 11); it wrote nothing to standard error")
    }

    @Test("All output of a child that writes and exits at once is delivered before its end, a last line without newline too")
    func outputBeforeExit() async throws {
        for _ in 0..<20 {
            let recorder = Recorder()
            _ = try await ChildProcess.startForTest("sh", ["-c", "seq 1 5000; printf end; exit 0"], recorder: recorder)
            _ = try await recorder.exit()
            #expect(recorder.count == 5001)
            #expect(recorder.lines.last == "end")
            #expect(recorder.state.withLockedValue { $0.linesAfterExit } == 0)
        }
    }

    @Test("Standard error is logged at a limited rate, its last lines are kept, bytes that are no UTF-8 do no harm")
    func standardError() async throws {
        let messages = NIOLockedValueBox<[String]>([])
        let logger = Logger(label: "test") { _ in CollectingLogHandler(messages: messages) }
        let recorder = Recorder()
        var limits = quick
        limits.stderrLinesPerSecond = 5
        limits.stderrTailLines = 3
        limits.stderrLineBytes = 10
        let script =
            "import sys\nfor i in range(1000): sys.stderr.write('line %d\\n' % i)\n"
            + "sys.stderr.flush(); sys.stderr.buffer.write(b'\\xff\\xfe!\\n' + b'y' * 50000 + b'\\n')"
        let child = try await ChildProcess.startForTest("python3", ["-c", script], limits: limits, logger: logger, recorder: recorder)
        let exit = try await recorder.exit()
        #expect(exit.stderrTail == ["line 999", "\u{FFFD}\u{FFFD}!", "yyyyyyyyyy…"])
        #expect(child.stderrTail == exit.stderrTail)
        let logged = messages.withLockedValue { $0 }
        #expect(logged.first == "line 0 pid=\(child.processID)")
        let summaries = logged.compactMap { message in
            message.contains("suppressed") ? Int(message.prefix { $0.isNumber }) : nil
        }
        // The rest is in the summaries: nothing is lost silently.
        #expect(logged.count - summaries.count + summaries.reduce(0, +) == 1002)
        #expect(logged.count < 30)
    }

    @Test("A command that is not on PATH, not executable, or whose directory is missing is refused with its reason")
    func cannotStart() async throws {
        let recorder = Recorder()
        await #expect(throws: ChildStartError.commandNotFound(command: "no-such-program", searchedPath: "/usr/bin:/bin")) {
            try await ChildProcess.startForTest("no-such-program", environment: ["PATH": "/usr/bin:/bin"], recorder: recorder)
        }
        await #expect(throws: ChildStartError.notExecutable(path: "/etc/passwd")) {
            try await ChildProcess.startForTest("/etc/passwd", recorder: recorder)
        }
        await #expect(throws: ChildStartError.noSuchFile(path: "/no/such/file")) {
            try await ChildProcess.startForTest("/no/such/file", recorder: recorder)
        }
        await #expect(throws: ChildStartError.workingDirectoryMissing(path: "/no/such/directory")) {
            try await ChildProcess.startForTest("cat", workingDirectory: "/no/such/directory", recorder: recorder)
        }
        let script = FileManager.default.temporaryDirectory.appendingPathComponent("no-interpreter-\(UUID().uuidString)")
        try Data("#!/no/such/interpreter\n".utf8).write(to: script)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: script.path)
        defer { try? FileManager.default.removeItem(at: script) }
        await #expect(throws: ChildStartError.spawnFailed(path: script.path, problem: "its interpreter (the #! line) does not exist")) {
            try await ChildProcess.startForTest(script.path, recorder: recorder)
        }
        #expect(recorder.state.withLockedValue { $0.exits.isEmpty })
    }

    @Test("The child gets its directory, its variables and the inherited ones, but not the gateway's secrets")
    func environment() async throws {
        setenv("MCP_GATEWAY_TEST_SECRET", "secret", 1)
        setenv("REDIS_PASSWORD", "secret", 1)
        setenv("INHERITED_BY_CHILDREN", "yes", 1)
        defer { for name in ["MCP_GATEWAY_TEST_SECRET", "REDIS_PASSWORD", "INHERITED_BY_CHILDREN"] { unsetenv(name) } }
        let recorder = Recorder()
        _ = try await ChildProcess.startForTest(
            "sh", ["-c", "pwd; env"], environment: ["OWN": "value"], workingDirectory: "/usr", recorder: recorder)
        _ = try await recorder.exit()
        #expect(recorder.lines.first == "/usr")
        #expect(recorder.lines.contains("OWN=value"))
        #expect(recorder.lines.contains("INHERITED_BY_CHILDREN=yes"))
        #expect(recorder.lines.contains("MCP_GATEWAY_GUARD=\(ProcessGuard.shared.marker)"))
        #expect(!recorder.lines.contains { $0.contains("secret") })
    }

    @Test("A child that ignores the end of its input and SIGTERM is killed")
    func escalation() async throws {
        let recorder = Recorder()
        let child = try await ChildProcess.startForTest(
            "sh", ["-c", "trap '' TERM; echo ready; while :; do sleep 1; done"], limits: quick, recorder: recorder)
        try await eventually("ready") { recorder.count == 1 }
        try await child.stopForTest()
        let exit = try await recorder.exit(within: 5)
        #expect(exit.status == .signalled(signal: SIGKILL))
        #expect(exit.reason == .stopRequested)
    }

    @Test("Grandchildren that hold the pipes die with the group, and the exit is noticed at once")
    func grandchildren() async throws {
        let recorder = Recorder()
        _ = try await ChildProcess.startForTest(
            "sh", ["-c", "trap '' TERM; sleep 300 & echo $!; exit 4"], recorder: recorder)
        let exit = try await recorder.exit(within: 3)
        #expect(exit.status == .exited(code: 4))
        let grandchild = try #require(Int32(recorder.lines.first ?? ""))
        try await eventually("the grandchild is gone", within: 3) { !isAlive(grandchild) }
    }

    @Test("A grandchild that left the group and holds the pipes does not delay the report beyond the drain grace")
    func escapedGrandchild() async throws {
        let recorder = Recorder()
        _ = try await ChildProcess.startForTest("sh", ["-c", "setsid sleep 300 & echo $!; sleep 0.2; exit 0"], recorder: recorder)
        #expect(try await recorder.exit(within: 3).status == .exited(code: 0))
        let grandchild = try #require(Int32(recorder.lines.first ?? ""))
        Foundation.kill(grandchild, SIGKILL)
    }

    @Test("A child that closes its standard output and lives on is stopped for that")
    func closedOutput() async throws {
        let recorder = Recorder()
        _ = try await ChildProcess.startForTest("sh", ["-c", "exec >&-; exec sleep 300"], limits: quick, recorder: recorder)
        let exit = try await recorder.exit(within: 5)
        #expect(exit.reason == .closedOutput)
        #expect(exit.status == .signalled(signal: SIGTERM))
    }

    @Test("A child that closes its standard input may still write, and is stopped for that")
    func closedInput() async throws {
        let recorder = Recorder()
        _ = try await ChildProcess.startForTest(
            "sh", ["-c", "exec <&-; echo still here; exec sleep 300"], limits: quick, recorder: recorder)
        let exit = try await recorder.exit(within: 5)
        #expect(exit.reason == .closedInput)
        #expect(recorder.lines == ["still here"])
    }

    @Test("Input that the child does not read is bounded")
    func queueBound() async throws {
        let recorder = Recorder()
        var limits = quick
        limits.maxQueuedInputBytes = 1_000_000
        let metrics = UpstreamMetrics(upstream: "sleepy")
        let hits = LimitHits.total(.maxQueuedInputBytes)
        let child = try await ChildProcess.startForTest("sleep", ["300"], limits: limits, metrics: metrics, recorder: recorder)
        let accepted = try await child.eventLoop.submit {
            let message = ByteBuffer(repeating: UInt8(ascii: "x"), count: 999)
            return (0..<2000).filter { _ in child.send(message) == .sent }.count
        }.get()
        #expect(accepted == 1000)
        #expect(LimitHits.total(.maxQueuedInputBytes) >= hits + 1000)
        #expect(metrics.queuedBytes > 900_000)
        try await child.killForTest()
        let exit = try await recorder.exit()
        #expect(exit.reason == .killRequested)
        #expect(exit.status == .signalled(signal: SIGKILL))
        try await eventually("nothing waits any more") { metrics.queuedBytes == 0 }
    }

    @Test("What is queued is written before the input is closed")
    func closeAfterQueue() async throws {
        let recorder = Recorder()
        let child = try await ChildProcess.startForTest("wc", ["-l"], recorder: recorder)
        try await child.eventLoop.submit {
            for _ in 0..<50_000 { _ = child.send(ByteBuffer(string: "a line of some length that fills the pipe")) }
            child.stop()
        }.get()
        #expect(try await recorder.exit().status == .exited(code: 0))
        #expect(recorder.lines == ["50000"])
    }

    @Test("200 starts leak no descriptor and leave no zombie")
    func leaks() async throws {
        // Once for what is opened once (guard, monitor).
        let first = Recorder()
        _ = try await ChildProcess.startForTest("true", recorder: first)
        _ = try await first.exit()
        let before = openDescriptors()
        for round in 0..<20 {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<10 {
                    group.addTask {
                        let recorder = Recorder()
                        if index == 9 {
                            _ = try? await ChildProcess.startForTest("/etc", recorder: recorder)
                            return
                        }
                        let child = try await ChildProcess.startForTest(index % 2 == 0 ? "true" : "cat", recorder: recorder)
                        if index % 2 == 1 {
                            try await round % 2 == 0 ? child.stopForTest() : child.killForTest()
                        }
                        _ = try await recorder.exit()
                        #expect(processState(child.processID) == nil)
                    }
                }
                try await group.waitForAll()
            }
        }
        // Other tests open descriptors meanwhile; a leak would be one at least for each of the 200.
        try await eventually("descriptors are back to about \(before)") { openDescriptors() < before + 100 }
    }
}
