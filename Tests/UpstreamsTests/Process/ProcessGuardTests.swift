import Foundation
import Logging
import NIOCore
import Testing

@testable import Upstreams

/// The guard is tested from outside: a small C program takes the gateway's part, uses the same C source and is killed.
@Suite(.serialized) struct ProcessGuardTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Starts the guard, then sh with the given script in a group of its own (registered or not, with the marker or not), prints the
    /// guard's process id and waits to be killed.
    private static let program = """
        #include "process_guard.h"
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <unistd.h>
        int main(int count, char **arguments) {
            const char *marker = arguments[1], *script = arguments[2];
            int registers = strcmp(arguments[3], "register") == 0, marks = strcmp(arguments[4], "mark") == 0;
            pid_t guard = 0;
            int lifeline = process_guard_start(marker, &guard);
            if (lifeline < 0) { return 1; }
            pid_t child = fork();
            if (child == 0) {
                setpgid(0, 0);
                if (marks) { setenv(PROCESS_GUARD_VARIABLE, marker, 1); }
                execl("/bin/sh", "sh", "-c", script, (char *)0);
                _exit(127);
            }
            setpgid(child, child);
            if (registers && process_guard_add(lifeline, child) != 0) { return 1; }
            printf("%d\\n", (int)guard);
            fflush(stdout);
            if (count > 5) { return 0; }
            pause();
            return 0;
        }
        """

    private final class Gateway {
        let process = Process()
        let output = Pipe()
        private var text = ""

        init(script: String, registers: Bool, marks: Bool, exits: Bool = false) throws {
            let directory = FileManager.default.temporaryDirectory.appendingPathComponent("guard-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: directory) }
            let source = directory.appendingPathComponent("gateway.c")
            try Data(program.utf8).write(to: source)
            var package = URL(fileURLWithPath: #filePath)
            for _ in 0..<4 { package.deleteLastPathComponent() }
            let library = package.appendingPathComponent("Sources/CProcessGuard")
            let binary = directory.appendingPathComponent("gateway").path
            let compiler = Process()
            compiler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            compiler.arguments = [
                "cc", "-O1", "-I", library.appendingPathComponent("include").path, "-o", binary, source.path,
                library.appendingPathComponent("process_guard.c").path,
            ]
            try compiler.run()
            compiler.waitUntilExit()
            guard compiler.terminationStatus == 0 else { throw NotInTime(description: "cc failed") }
            process.executableURL = URL(fileURLWithPath: binary)
            process.arguments = [UUID().uuidString, script, registers ? "register" : "-", marks ? "mark" : "-"] + (exits ? ["exit"] : [])
            process.standardOutput = output
            try process.run()
            // The file is in use from here on, and may be removed.
            while text.isEmpty || !text.hasSuffix("\n") {
                let bytes = output.fileHandleForReading.availableData
                guard !bytes.isEmpty else { break }
                text += String(decoding: bytes, as: UTF8.self)
            }
        }

        /// The first numbers printed: the guard's and the script's, in any order.
        func numbers(_ count: Int) throws -> [Int32] {
            while text.split(separator: "\n").count < count {
                let bytes = output.fileHandleForReading.availableData
                guard !bytes.isEmpty else { throw NotInTime(description: "the output ended: \(text)") }
                text += String(decoding: bytes, as: UTF8.self)
            }
            return text.split(separator: "\n").compactMap { Int32($0.drop { !$0.isNumber }) }
        }

        func killHard() {
            // Not waited for: Foundation waits until the last descendant has closed a descriptor that it leaks.
            kill(process.processIdentifier, SIGKILL)
        }
    }

    private func commandName(_ processID: Int32) -> String? {
        (try? String(contentsOfFile: "/proc/\(processID)/comm", encoding: .utf8))?.trimmingCharacters(in: .newlines)
    }

    @Test(
        "After kill -9 of the gateway, a child that ignores SIGTERM and a grandchild in its own session are gone within 5 s, and the guard too"
    )
    func killed() async throws {
        let gateway = try Gateway(
            script:
                "trap '' TERM; setsid sh -c 'trap \"\" TERM; echo $$; while :; do sleep 0.1; done' & echo $$; while :; do sleep 0.1; done",
            registers: true, marks: true)
        let processes = try gateway.numbers(3)
        #expect(processes.allSatisfy(isAlive))
        #expect(processes.filter { commandName($0) == "mcp-gw-guard" }.count == 1)
        gateway.killHard()
        try await eventually("all are gone", within: 5) { !processes.contains(where: isAlive) }
    }

    @Test("A child that was never registered is found by its environment")
    func unregistered() async throws {
        let gateway = try Gateway(script: "echo $$; exec sleep 300", registers: false, marks: true)
        let processes = try gateway.numbers(2)
        gateway.killHard()
        try await eventually("all are gone", within: 5) { !processes.contains(where: isAlive) }
    }

    @Test("A registered leader whose environment no longer shows the marker is known by its start time")
    func unmarked() async throws {
        let gateway = try Gateway(script: "sleep 300 & echo $!; echo $$; wait", registers: true, marks: false)
        let processes = try gateway.numbers(3)
        gateway.killHard()
        try await eventually("all are gone", within: 5) { !processes.contains(where: isAlive) }
    }

    @Test("A process that is neither registered nor marked is left alone, and the guard ends at once")
    func foreign() async throws {
        let gateway = try Gateway(script: "echo $$; exec sleep 300", registers: false, marks: false)
        let processes = try gateway.numbers(2)
        let guardProcess = try #require(processes.first { commandName($0) == "mcp-gw-guard" })
        let other = try #require(processes.first { $0 != guardProcess })
        gateway.killHard()
        try await eventually("the guard has ended", within: 3) { !isAlive(guardProcess) }
        #expect(isAlive(other))
        kill(other, SIGKILL)
    }

    @Test("A gateway that exits normally is cleaned up after as well")
    func normalExit() async throws {
        let gateway = try Gateway(script: "echo $$; exec sleep 300", registers: true, marks: true, exits: true)
        let processes = try gateway.numbers(2)
        try await eventually("all are gone", within: 5) { !processes.contains(where: isAlive) }
    }

    @Test("The guard shows its own name, keeps no environment and no descriptor but one, and ignores SIGTERM, SIGINT and SIGHUP")
    func inspected() async throws {
        let processGuard = ProcessGuard()
        #expect(processGuard.ensureRunning(logger: Self.logger))
        let processID = try #require(processGuard.processID)
        #expect(commandName(processID) == "mcp-gw-guard")
        let commandLine = try Data(contentsOf: URL(fileURLWithPath: "/proc/\(processID)/cmdline"))
        #expect(String(decoding: commandLine.prefix { $0 != 0 }, as: UTF8.self).hasPrefix("mcp-gw-guard"))
        let environment = try Data(contentsOf: URL(fileURLWithPath: "/proc/\(processID)/environ"))
        #expect(environment.allSatisfy { $0 == 0 })
        #expect(try FileManager.default.contentsOfDirectory(atPath: "/proc/\(processID)/fd") == ["0"])
        for signal in [SIGTERM, SIGINT, SIGHUP] { kill(processID, signal) }
        #expect(isAlive(processID))
    }

    @Test("A guard that died is replaced, and none is a zombie of the gateway")
    func replaced() async throws {
        let processGuard = ProcessGuard()
        #expect(processGuard.ensureRunning(logger: Self.logger))
        #expect(processGuard.ensureRunning(logger: Self.logger))
        let first = try #require(processGuard.processID)
        kill(first, SIGKILL)
        let second: Int32 = try await eventually("another guard", within: 5) {
            processGuard.processID.flatMap { $0 != first ? $0 : nil }
        }
        #expect(isAlive(second))
        #expect(!isAlive(first))
        let status = try String(contentsOfFile: "/proc/\(second)/status", encoding: .utf8)
        #expect(!status.contains("PPid:\t\(getpid())\n"))
    }
}
