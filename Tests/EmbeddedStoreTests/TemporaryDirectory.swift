import Foundation
import GatewayCore
import Logging

@testable import EmbeddedStore

/// A directory that is removed at the end of its test.
final class TemporaryDirectory: Sendable {
    let path: String
    init() { path = FileManager.default.temporaryDirectory.appendingPathComponent("embedded-store-\(UUID().uuidString)").path }
    deinit { try? FileManager.default.removeItem(atPath: path) }

    func open(
        limits: EventLogLimits = EventLogLimits(), options: EmbeddedStoreOptions = EmbeddedStoreOptions()
    ) throws -> EmbeddedStore {
        try EmbeddedStore.open(directory: path, limits: limits, options: options, logger: .quiet)
    }
}

extension Logger {
    static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
}

extension EmbeddedStore {
    /// Runs a statement as an operation of the store; the first column of the first row.
    @discardableResult
    func run(_ sql: String) async throws -> Int {
        try await withCheckedThrowingContinuation { next in
            submit("run a statement") { transaction in
                let statement = try transaction.statement(sql)
                var value = 0
                while try statement.step() { value = Int(statement.integer(0)) }
                return value
            } completion: {
                next.resume(with: $0)
            }
        }
    }

    /// Keeps the writer busy, so that what is asked for meanwhile is performed as one batch; returns what lets it go on.
    func holdWriter() async -> @Sendable () -> Void {
        let gate = DispatchSemaphore(value: 0)
        await withCheckedContinuation { started in
            submit("wait") { _ in
                started.resume()
                gate.wait()
            } completion: { (_: Result<Void, StoreError>) in
            }
        }
        return { gate.signal() }
    }
}
