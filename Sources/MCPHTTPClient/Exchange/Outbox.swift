import NIOCore

/// Keeps the order that matters among POSTs, which otherwise run side by side on connections of their own: notifications go one
/// after the other, and nothing overtakes `notifications/initialized`.
struct Outbox<Item: Sendable>: Sendable {
    enum Kind: Sendable {
        case message, notification, initialized
    }

    enum Verdict: Sendable, Equatable {
        case send, queued, full
    }

    private let limit: Int
    private var waiting = CircularBuffer<(kind: Kind, item: Item)>()
    private var underWay: Kind?
    private var barriersWaiting = 0

    init(limit: Int) {
        self.limit = limit
    }

    /// Whether the item goes now. A queued one comes back from ``notificationAccepted()``.
    mutating func offer(_ item: Item, kind: Kind) -> Verdict {
        let isBlocked: Bool
        switch kind {
        case .message: isBlocked = underWay == .initialized || barriersWaiting > 0
        case .notification, .initialized: isBlocked = underWay != nil || !waiting.isEmpty
        }
        guard isBlocked else {
            if kind != .message { underWay = kind }
            return .send
        }
        guard waiting.count < limit else { return .full }
        waiting.append((kind, item))
        if kind == .initialized { barriersWaiting += 1 }
        return .queued
    }

    /// The notification under way was taken or refused: what goes next.
    mutating func notificationAccepted() -> [Item] {
        underWay = nil
        var next: [Item] = []
        while let first = waiting.first {
            if underWay == .initialized || (underWay != nil && first.kind != .message) { break }
            waiting.removeFirst()
            if first.kind != .message { underWay = first.kind }
            if first.kind == .initialized { barriersWaiting -= 1 }
            next.append(first.item)
        }
        return next
    }

    /// Empties the queue.
    mutating func removeAll() -> [Item] {
        defer {
            waiting.removeAll()
            barriersWaiting = 0
            underWay = nil
        }
        return waiting.map(\.item)
    }
}
