import Foundation
import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import EmbeddedStore
@testable import StoreContracts
@testable import GatewayCore

/// A file system of its own in memory, small enough to fill. Only root may mount one.
private final class SmallDisk: Sendable {
    let path: String

    init?(bytes: Int) {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("small-disk-\(UUID().uuidString)").path
        do { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) } catch { return nil }
        guard Self.run("mount", "-t", "tmpfs", "-o", "size=\(bytes)", "tmpfs", path) else {
            try? FileManager.default.removeItem(atPath: path)
            return nil
        }
    }

    deinit {
        _ = Self.run("umount", "-l", path)
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Takes all the room that is left.
    func fill() {
        _ = FileManager.default.createFile(atPath: path + "/ballast", contents: nil)
        guard let file = FileHandle(forWritingAtPath: path + "/ballast") else { return }
        for piece in [65_536, 4_096] {
            while true { do { try file.write(contentsOf: Data(count: piece)) } catch { break } }
        }
        try? file.close()
    }

    func makeRoom() { try? FileManager.default.removeItem(atPath: path + "/ballast") }

    private static func run(_ arguments: String...) -> Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        do { try process.run() } catch { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }

    /// Whether this machine lets the test mount one.
    static let isPossible = SmallDisk(bytes: 1 << 20) != nil
}

private final class Subscriber: StreamSubscriber {
    private let state = NIOLockedValueBox<[StreamEvent]>([])
    var events: [StreamEvent] { state.withLockedValue { $0 } }
    func deliver(_ event: StreamEvent, of stream: EventStream, isLast: Bool, isReplay: Bool) { state.withLockedValue { $0.append(event) } }
    func whenDrained(_ body: @escaping @Sendable () -> Void) { body() }
    func streamEnded(_ stream: EventStream) {}
    func streamDetached(_ stream: EventStream) {}
}

@Suite("The embedded store on a full disk", .enabled(if: SmallDisk.isPossible, "mounting a small tmpfs needs root"))
struct FullDiskTests {
    @Test("a stream goes on live, is logged again when there is room, and who resumes is told what is missing")
    func heals() async throws {
        let disk = try #require(SmallDisk(bytes: 4 << 20))
        let store = try EmbeddedStore.open(
            directory: disk.path + "/data", limits: EventLogLimits(), options: EmbeddedStoreOptions(probeInterval: 10), logger: .quiet)
        let session = Sample.session()
        try await store.create(session)
        let record = Sample.stream("l", of: session.id, kind: .listening, requests: nil)
        let stream = EventStream(record: record, delivered: 0, log: store, lines: CoreLines(.quiet))
        stream.open()
        let live = Subscriber()
        stream.attach(live, after: 0)
        let message = ByteBuffer(string: "\"" + String(repeating: "x", count: 20_000) + "\"")
        for _ in 0..<10 { stream.append(message) }
        await store.flush()
        #expect(store.failure == nil)
        disk.fill()
        for _ in 0..<40 { stream.append(message) }
        await store.flush()
        #expect(store.failure?.contains("free space") == true)
        #expect(store.statistics.unloggedEvents > 0)
        // A session is refused, not half made.
        await #expect(throws: StoreError.self) { try await store.create(Sample.session(params: String(repeating: "x", count: 100_000))) }
        disk.makeRoom()
        for _ in 0..<1_000_000 where store.failure != nil { await Task.yield() }
        #expect(store.failure == nil)
        for _ in 0..<10 { stream.append(message) }
        await store.flush()
        #expect(live.events.map(\.sequence) == Array(1...60))
        let lost = live.events.filter { !$0.isLogged }.map(\.sequence)
        #expect(lost.count == store.statistics.unloggedEvents)
        #expect(live.events.suffix(10).map(\.isLogged) == Array(repeating: true, count: 10))

        let resumed = Subscriber()
        #expect(stream.attach(resumed, after: 0))
        await store.flush()
        await store.flush()
        #expect(resumed.events.filter(\.isLogged).map(\.sequence) == (1...60).filter { !lost.contains($0) })
        let notices = resumed.events.filter { !$0.isLogged }
        #expect(!notices.isEmpty)
        #expect(notices.allSatisfy { String(buffer: $0.message).contains("cannot be sent again") })
        store.close()
        // Nothing is damaged.
        let again = try EmbeddedStore.open(directory: disk.path + "/data", limits: EventLogLimits(), logger: .quiet)
        #expect(try await again.read(record.stream, of: session.id)?.record.lastSequence == 60)
        again.close()
    }
}
