import Foundation
import NIOConcurrencyHelpers
import RESP

/// A real redis-server on a port of its own, which ends with the test process, however that ends.
final class RedisServer: Sendable {
    let port: Int
    let directory: String
    private let process = NIOLockedValueBox<(process: Process, input: Pipe, pid: pid_t)?>(nil)

    /// One for all tests that do not end it; each uses a prefix of its own.
    static let shared = Result { try RedisServer() }

    init() throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("redis-store-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        port = try Self.freePort()
        try start()
    }

    deinit {
        process.withLockedValue { $0?.process.terminate() }
        kill()
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// What it acknowledged survives its own end (not that of the machine). The shell ends the server when its own standard input ends, which is when this process does.
    func start() throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = [
            "-c", #"redis-server "$@" >>log 2>&1 </dev/null & echo $!; cat >/dev/null; kill -9 $! 2>/dev/null"#, "redis", "--port",
            "\(port)", "--bind",
            "127.0.0.1", "--save", "", "--appendonly", "yes", "--appendfsync", "no",
        ]
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        let input = Pipe()
        let output = Pipe()
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        guard let pid = pid_t(line.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw Failure("redis-server did not start: \(line)")
        }
        self.process.withLockedValue { $0 = (process, input, pid) }
    }

    /// Ends it as a crash would.
    func kill() { signal(SIGKILL) }
    func freeze() { signal(SIGSTOP) }
    func thaw() { signal(SIGCONT) }

    /// Forgets everything, while it does not run.
    func wipe() throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: directory) where name != "log" {
            try FileManager.default.removeItem(atPath: directory + "/" + name)
        }
    }

    private func signal(_ number: Int32) {
        guard let pid = process.withLockedValue({ $0?.pid }) else { return }
        _ = Foundation.kill(pid, number)
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }

    private static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let port = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer -> Int? in
                guard bind(descriptor, pointer, length) == 0, getsockname(descriptor, pointer, &length) == 0 else { return nil }
                return pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { Int(UInt16(bigEndian: $0.pointee.sin_port)) }
            }
        }
        guard let port else { throw Failure("no port is free") }
        return port
    }
}
