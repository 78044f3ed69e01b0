import Foundation
import GatewayCore
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

@testable import Upstreams

/// Collects what a child does. Conditions are polled with a deadline, nothing sleeps for a fixed time.
final class Recorder: ChildProcessDelegate {
    struct State {
        var lines: [String] = []
        var count = 0
        var exits: [ChildExit] = []
        var linesAfterExit = 0
    }

    let state = NIOLockedValueBox(State())
    private let keepsLines: Bool
    private let onLine: (@Sendable (ChildProcess, ByteBuffer) -> Void)?

    init(keepsLines: Bool = true, onLine: (@Sendable (ChildProcess, ByteBuffer) -> Void)? = nil) {
        self.keepsLines = keepsLines
        self.onLine = onLine
    }

    func childProcess(_ child: ChildProcess, received line: ByteBuffer) {
        onLine?(child, line)
        state.withLockedValue {
            $0.count += 1
            if !$0.exits.isEmpty { $0.linesAfterExit += 1 }
            if keepsLines { $0.lines.append(String(buffer: line)) }
        }
    }

    func childProcess(_ child: ChildProcess, stopped exit: ChildExit) {
        state.withLockedValue { $0.exits.append(exit) }
    }

    var lines: [String] { state.withLockedValue { $0.lines } }
    var count: Int { state.withLockedValue { $0.count } }

    func exit(within seconds: Double = 60) async throws -> ChildExit {
        try await eventually("the child stops", within: seconds) { self.state.withLockedValue { $0.exits.first } }
    }
}

struct NotInTime: Error, CustomStringConvertible {
    let description: String
}

/// Waits until `value` is not nil.
func eventually<Value>(_ what: String, within seconds: Double = 60, _ value: () throws -> Value?) async throws -> Value {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while true {
        if let value = try value() { return value }
        guard ContinuousClock.now < deadline else { throw NotInTime(description: "not within \(seconds) s: \(what)") }
        try await Task.sleep(for: .milliseconds(5))
    }
}

func eventually(_ what: String, within seconds: Double = 60, _ condition: () throws -> Bool) async throws {
    let _: Bool = try await eventually(what, within: seconds) { try condition() ? true : nil }
}

extension ChildProcess {
    static func startForTest(
        _ command: String,
        _ arguments: [String] = [],
        environment: [String: String] = [:],
        workingDirectory: String? = nil,
        limits: ChildLimits = ChildLimits(),
        logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
        metrics: UpstreamMetrics? = nil,
        recorder: Recorder
    ) async throws -> ChildProcess {
        try await ChildProcess.start(
            ChildCommand(
                command: command, arguments: arguments, environment: environment, workingDirectory: workingDirectory),
            limits: limits, on: MultiThreadedEventLoopGroup.singleton.next(), logger: logger, metrics: metrics, delegate: recorder
        ).get()
    }

    func sendForTest(_ text: String) async throws -> LinkAdmission {
        try await eventLoop.submit { self.send(ByteBuffer(string: text)) }.get()
    }

    func stopForTest() async throws { try await eventLoop.submit { self.stop() }.get() }
    func killForTest() async throws { try await eventLoop.submit { self.kill() }.get() }
}

/// The third field of /proc/PID/stat; nil when there is no such process.
func processState(_ processID: Int32) -> Character? {
    guard let text = try? String(contentsOfFile: "/proc/\(processID)/stat", encoding: .utf8),
        let end = text.lastIndex(of: ")")
    else { return nil }
    return text[text.index(end, offsetBy: 2)]
}

/// Whether a process exists and is not a zombie: one that its adoptive parent has yet to reap is dead all the same.
func isAlive(_ processID: Int32) -> Bool {
    guard let state = processState(processID) else { return false }
    return state != "Z" && state != "X"
}

func openDescriptors() -> Int {
    ((try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []).count
}

/// Keeps log messages.
struct CollectingLogHandler: LogHandler {
    let messages: NIOLockedValueBox<[String]>
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        messages.withLockedValue { $0.append("\(event.message) pid=\(metadata["pid"].map { "\($0)" } ?? "none")") }
    }
}
