import Foundation
import NIOConcurrencyHelpers

#if canImport(Glibc)
    import Glibc
#endif

/// A real redis-server or redis-sentinel on a port of its own, with its files in a directory of its own.
public final class RedisServer: Sendable {
    public enum Kind: String, Sendable { case server = "redis-server", sentinel = "redis-sentinel" }

    public struct Failure: Error, CustomStringConvertible {
        public let description: String
        public init(description: String) { self.description = description }
    }

    public let kind: Kind
    public let port: Int
    public let directory: String
    private let running = NIOLockedValueBox<Running?>(nil)

    /// The shell that ends the server when this process ends, and the server's process.
    private struct Running {
        let shell: Process
        let input: Pipe
        let pid: pid_t
    }

    /// One on a free port, which does not run yet.
    /// - Parameter configuration: lines of its configuration file, beside port and directory; they are given the directory.
    public init(
        _ kind: Kind = .server, tls: Bool = false, _ configuration: (_ directory: String) throws -> [String] = { _ in [] }
    ) throws {
        self.kind = kind
        port = try Self.freePort()
        directory = NSTemporaryDirectory() + "mcp-gateway-tests-redis-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let ports = tls ? ["port 0", "tls-port \(port)"] : ["port \(port)"]
        var lines = ports + ["bind 127.0.0.1", "dir \(directory)", "daemonize no", "logfile \(directory)/log", "protected-mode no"]
        if kind == .server { lines += ["save \"\"", "appendonly no", "enable-debug-command yes"] }
        lines += try configuration(directory)
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: "\(directory)/redis.conf"))
    }

    deinit {
        kill()
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// Starts one and waits until it listens.
    public static func start(
        _ kind: Kind = .server, tls: Bool = false, _ configuration: (_ directory: String) throws -> [String] = { _ in [] }
    ) async throws -> RedisServer {
        // Another may take the port between the choice and the start.
        for attempt in 1... {
            let server = try RedisServer(kind, tls: tls, configuration)
            do {
                try await server.start()
                return server
            } catch let failure as Failure where attempt < 5 && server.log.contains("Address already in use") {
                _ = failure
            }
        }
        throw Failure(description: "unreachable")
    }

    /// Starts it, also again, on the same port and with the same files, and waits until it listens.
    public func start() async throws {
        try launch()
        do {
            let deadline = ContinuousClock.now + .seconds(60)
            while !Self.connects(to: port) {
                guard isAlive else { throw Failure(description: "\(kind.rawValue) ended: \(log.suffix(500))") }
                guard ContinuousClock.now < deadline else { throw Failure(description: "\(kind.rawValue) does not listen") }
                try await Task.sleep(for: .milliseconds(5))
            }
        } catch {
            kill()
            throw error
        }
    }

    /// The same without waiting.
    public func launch() throws {
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/sh")
        // The shell reads a line, or the end of the pipe when this process ended: then nobody else removes the files.
        shell.arguments = [
            "-c",
            "\"$0\" \"$1/redis.conf\" <&- >/dev/null 2>&1 & echo $!; read -r line; ended=$?; kill -9 $!; [ $ended = 0 ] || rm -rf \"$1\"",
            kind.rawValue, directory,
        ]
        let input = Pipe()
        let output = Pipe()
        shell.standardInput = input
        shell.standardOutput = output
        try shell.run()
        var line = Data()
        while let byte = try output.fileHandleForReading.read(upToCount: 1), byte != Data([0x0A]), !byte.isEmpty { line += byte }
        guard let pid = pid_t(String(decoding: line, as: UTF8.self)) else { throw Failure(description: "no process id") }
        running.withLockedValue { $0 = Running(shell: shell, input: input, pid: pid) }
    }

    /// SIGKILL.
    public func kill() {
        let old = running.withLockedValue { running -> Running? in
            defer { running = nil }
            return running
        }
        guard let old else { return }
        Glibc.kill(old.pid, SIGKILL)
        try? old.input.fileHandleForWriting.write(contentsOf: Data([0x0A]))
        try? old.input.fileHandleForWriting.close()
        old.shell.waitUntilExit()
    }

    /// SIGSTOP: connections stay, nothing is answered.
    public func freeze() { signal(SIGSTOP) }
    /// SIGCONT.
    public func thaw() { signal(SIGCONT) }

    /// Forgets everything, while it does not run.
    public func wipe() throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: directory) where !["log", "redis.conf"].contains(name) {
            try FileManager.default.removeItem(atPath: directory + "/" + name)
        }
    }

    private func signal(_ number: Int32) {
        running.withLockedValue { if let pid = $0?.pid { Glibc.kill(pid, number) } }
    }

    private var isAlive: Bool { running.withLockedValue { $0.map { Glibc.kill($0.pid, 0) == 0 && !Self.isZombie($0.pid) } ?? false } }

    public var log: String { (try? String(contentsOfFile: "\(directory)/log", encoding: .utf8)) ?? "" }

    /// What redis-cli prints for a command.
    @discardableResult
    public func run(_ arguments: String..., password: String? = nil) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["redis-cli", "-p", "\(port)"] + (password.map { ["--no-auth-warning", "-a", $0] } ?? []) + arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private static func isZombie(_ pid: pid_t) -> Bool {
        guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8), let end = stat.lastIndex(of: ")") else {
            return true
        }
        return stat[end...].dropFirst(2).first == "Z"
    }

    public static func freePort() throws -> Int {
        try withLoopbackSocket { socket, address in
            guard withUnsafePointer(to: &address, { bind(socket, sockaddr($0), length) }) == 0 else {
                throw Failure(description: "no free port")
            }
            var written = length
            _ = withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: Glibc.sockaddr.self, capacity: 1) { getsockname(socket, $0, &written) }
            }
            return Int(UInt16(bigEndian: address.sin_port))
        }
    }

    private static func connects(to port: Int) -> Bool {
        let result = try? withLoopbackSocket { socket, address in
            address.sin_port = UInt16(port).bigEndian
            return withUnsafePointer(to: &address) { connect(socket, sockaddr($0), length) } == 0
        }
        return result ?? false
    }

    private static var length: socklen_t { socklen_t(MemoryLayout<sockaddr_in>.size) }

    private static func sockaddr(_ address: UnsafePointer<sockaddr_in>) -> UnsafePointer<Glibc.sockaddr> {
        UnsafeRawPointer(address).assumingMemoryBound(to: Glibc.sockaddr.self)
    }

    private static func withLoopbackSocket<Result>(_ body: (Int32, inout sockaddr_in) throws -> Result) throws -> Result {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard socket >= 0 else { throw Failure(description: "no socket") }
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return try body(socket, &address)
    }
}
