import Foundation
import Testing

/// A folder for one test, gone with it.
final class TemporaryFolder {
    let path: String

    init() throws {
        // Short, because the path of a Unix domain socket may have 107 bytes.
        path = "/tmp/env-\(UUID().uuidString.prefix(13))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path).appendingPathComponent(name))
    }

    /// Runs git here, with no configuration but the repository's own.
    @discardableResult
    func git(_ arguments: String..., mayFail: Bool = false) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-C", path] + arguments
        var environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("GIT_") }
        environment["GIT_CONFIG_GLOBAL"] = "/dev/null"
        environment["GIT_CONFIG_SYSTEM"] = "/dev/null"
        process.environment = environment
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        if !mayFail { try #require(process.terminationStatus == 0, "git \(arguments)") }
        return String(decoding: data, as: UTF8.self)
    }
}
