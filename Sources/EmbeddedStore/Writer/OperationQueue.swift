import DequeModule
import Foundation

/// The bounded FIFO between callers and the writer thread.
///
/// At its bounds an operation is refused: it loses its payload and stays in line only to complete with a `StoreError` in its turn, so
/// that completions keep their order and run on the store's thread. Refused operations are not counted against the bound; the next
/// batch takes all of them that have come to the front.
final class OperationQueue: @unchecked Sendable {
    // Unchecked: all mutable state is accessed between `condition.lock()` and `condition.unlock()` only. The operations are handed over
    // under that lock: the caller does not touch one after `enqueue`, the writer not before `nextBatch`.
    private struct Entry {
        let operation: StoreOperation
        let isRefused: Bool
    }

    /// What the queue has to say about itself.
    struct Depth {
        var operations = 0
        var bytes = 0
        var rejected = 0
    }

    private let capacity: Int
    private let byteCapacity: Int
    private let batchLimit: Int

    private let condition = NSCondition()
    private var entries: Deque<Entry> = []
    private var depth = Depth()
    private var isClosed = false
    private var isWriterWaiting = false

    init(capacity: Int, byteCapacity: Int, batchLimit: Int) {
        self.capacity = capacity
        self.byteCapacity = byteCapacity
        self.batchLimit = batchLimit
    }

    enum Admission {
        case queued
        /// The queue is full: the operation completes with an error in its turn.
        case refused
        /// The store is closed: the operation is in no queue, the caller completes it.
        case closed
    }

    /// - Parameter always: admits the operation beyond the bounds; for the few that carry nothing and have no way to be refused.
    func enqueue(_ operation: StoreOperation, always: Bool = false) -> Admission {
        condition.lock()
        defer { condition.unlock() }
        guard !isClosed else { return .closed }
        // One operation larger than the byte bound is let in when it is alone; otherwise it could never be performed.
        let fits = depth.operations < capacity && (depth.bytes + operation.cost <= byteCapacity || depth.operations == 0)
        let isRefused = !always && !fits
        if isRefused {
            operation.fail(
                "its queue is full (\(depth.operations) of \(capacity) operations, \(depth.bytes) of \(byteCapacity) bytes); try again later"
            )
            depth.rejected += 1
        } else {
            depth.operations += 1
            depth.bytes += operation.cost
        }
        entries.append(Entry(operation: operation, isRefused: isRefused))
        if isWriterWaiting {
            isWriterWaiting = false
            condition.signal()
        }
        return isRefused ? .refused : .queued
    }

    /// How long the writer waits for something to do.
    enum Wait {
        case no
        case milliseconds(Int)
        case forever
    }

    /// The operations at the front in order, at most `batchLimit` of them that are to be performed. Waits until there are some; empty if
    /// there are none in time; nil when the queue is closed and empty.
    func nextBatch(_ wait: Wait) -> [(operation: StoreOperation, isRefused: Bool)]? {
        condition.lock()
        defer { condition.unlock() }
        while entries.isEmpty {
            if isClosed { return nil }
            switch wait {
            case .no: return []
            case .forever:
                isWriterWaiting = true
                condition.wait()
            case .milliseconds(let milliseconds):
                isWriterWaiting = true
                let isSignalled = condition.wait(until: Date(timeIntervalSinceNow: Double(milliseconds) / 1000))
                isWriterWaiting = false
                if !isSignalled, entries.isEmpty, !isClosed { return [] }
            }
        }
        var batch: [(operation: StoreOperation, isRefused: Bool)] = []
        batch.reserveCapacity(min(entries.count, batchLimit))
        var admitted = 0
        while let entry = entries.first, entry.isRefused || admitted < batchLimit {
            entries.removeFirst()
            if !entry.isRefused {
                admitted += 1
                depth.operations -= 1
                depth.bytes -= entry.operation.cost
            }
            batch.append((entry.operation, entry.isRefused))
        }
        return batch
    }

    /// Admits nothing more; what is in the queue is still performed. True for the first call.
    func close() -> Bool {
        condition.lock()
        defer { condition.unlock() }
        defer { isClosed = true }
        condition.broadcast()
        return !isClosed
    }

    func measure() -> Depth {
        condition.lock()
        defer { condition.unlock() }
        return depth
    }
}
