import DequeModule
import Foundation
import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore

/// Results of modern servers that came at once although a client of 2025-11-25 asked for a task: each is the result of a task of the gateway's
/// own that is over. In memory, bounded in bytes and time; the oldest go first.
final class KeptResults: Sendable {
    private struct Entry {
        let session: SessionID
        let task: TaskState
        let expires: WallTime
        let size: Int
    }

    private struct State {
        var entries: [String: Entry] = [:]
        var order = Deque<String>()
        var bytes = 0
    }

    private static let maximumBytes = 64 << 20
    /// Milliseconds that a task is kept when its client does not say, and at most.
    private static let (usualTime, longestTime): (Int64, Int64) = (600_000, 3_600_000)
    private let state = NIOLockedValueBox(State())

    /// - Parameter timeToLive: milliseconds, as the client asks.
    /// - Returns: the task.
    func keep(_ result: ByteBuffer, of session: SessionID, for timeToLive: Int64?, now: WallTime) -> TaskState {
        let lifetime = min(max(timeToLive ?? Self.usualTime, 0), Self.longestTime)
        // The id is a secret like those of servers ("Task Isolation and Access Control").
        let random = (0..<2).map { _ in String(UInt64.random(in: .min ... .max), radix: 16) }.joined()
        // A copy: the slice would keep the whole response alive.
        let task = TaskState(
            completed: "kept-\(random)", result: ByteBuffer(bytes: result.readableBytesView), at: now.iso8601, timeToLive: lifetime)
        let entry = Entry(
            session: session, task: task, expires: now + .milliseconds(lifetime), size: result.readableBytes + 512)
        state.withLockedValue { state in
            state.entries[task.id] = entry
            state.order.append(task.id)
            state.bytes += entry.size
            while let oldest = state.order.first, state.bytes > Self.maximumBytes || state.entries[oldest].map({ $0.expires < now }) ?? true
            {
                guard state.order.count > 1 else { break }
                state.order.removeFirst()
                if let removed = state.entries.removeValue(forKey: oldest) { state.bytes -= removed.size }
            }
        }
        return task
    }

    /// The task of a session's; nil when it has none of that id, or not any more.
    func find(_ id: String, of session: SessionID, now: WallTime) -> TaskState? {
        state.withLockedValue { state in
            guard let entry = state.entries[id], entry.session == session, now <= entry.expires else { return nil }
            return entry.task
        }
    }

    func all(of session: SessionID, now: WallTime) -> [TaskState] {
        state.withLockedValue { state in
            guard !state.entries.isEmpty else { return [] }
            return state.order.compactMap { state.entries[$0] }.filter { $0.session == session && now <= $0.expires }.map(\.task)
        }
    }
}

extension WallTime {
    /// In UTC, with milliseconds.
    fileprivate var iso8601: String {
        Date(timeIntervalSince1970: Double(milliseconds) / 1000).formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }
}
