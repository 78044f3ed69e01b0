import Crypto
import Foundation
import NIOConcurrencyHelpers

/// Single-use tickets for `GET /sse/events?ticket=…`: a browser's `EventSource` cannot send a header, and a session id must not stand in an
/// URL, which proxies and browsers write down.
///
/// A ticket is sealed (AES-GCM), so it tells nothing about the session. Which tickets were used is known to the process only, so its tickets
/// must end with it: the key belongs to the process. Among several instances any may be shown a ticket, so they share the key; the session's home
/// redeems it. One that was used can be used again if the home changes within its life of some seconds.
final class StreamTickets: Sendable {
    private let key: SymmetricKey
    private let used: NIOLockedValueBox<UsedTickets>

    /// - Parameter key: that instances share; nil for one of the process's own.
    init(key: SymmetricKey? = nil, maxRemembered: Int = UsedTickets.maxRemembered) {
        self.key = key ?? SymmetricKey(size: .bits256)
        used = NIOLockedValueBox(UsedTickets(capacity: maxRemembered))
    }

    /// - Throws: when the ticket cannot be sealed, which no input can bring about.
    func make(for session: SessionID, expiresAt: WallTime) throws -> String {
        var content = Data(session.bytes)
        withUnsafeBytes(of: expiresAt.milliseconds.bigEndian) { content.append(contentsOf: $0) }
        let box = try AES.GCM.seal(content, using: key)
        // Nonce, content and tag one after the other, as `SealedBox(combined:)` takes them.
        let combined = Data(box.nonce) + box.ciphertext + box.tag
        return combined.base64EncodedString().replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
            .replacingOccurrences(of: "=", with: "")
    }

    /// The session, for the one time that a ticket is good for; nil when it is forged, expired or was used before.
    func redeem(_ ticket: String, now: WallTime) -> SessionID? {
        guard let (session, nonce, expiresAt) = open(ticket, now: now) else { return nil }
        return used.withLockedValue { $0.insert(nonce, expiresAt: expiresAt, now: now) } ? session : nil
    }

    /// The session, without using the ticket up.
    func session(of ticket: String, now: WallTime) -> SessionID? { open(ticket, now: now)?.session }

    private func open(_ ticket: String, now: WallTime) -> (session: SessionID, nonce: UsedTickets.Nonce, expiresAt: WallTime)? {
        guard ticket.utf8.count <= 128 else { return nil }
        var text = ticket.replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
        while text.utf8.count % 4 != 0 { text += "=" }
        guard let data = Data(base64Encoded: text), let box = try? AES.GCM.SealedBox(combined: data),
            let content = try? AES.GCM.open(box, using: key), content.count == 24, let session = SessionID(bytes: content.prefix(16))
        else { return nil }
        let expiresAt = WallTime(
            milliseconds: Int64(bitPattern: content.suffix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }))
        guard now < expiresAt else { return nil }
        return (session, UsedTickets.Nonce(box.nonce), expiresAt)
    }
}

/// The tickets that were used and have not expired. Pure: the time is a parameter.
///
/// There are two generations: new ones go into the younger, and when all of the older have expired it is dropped as a whole and the younger
/// takes its place. So a ticket is remembered until it has expired, at most for about twice its life, and nothing is ever searched through.
struct UsedTickets {
    /// Tickets that are remembered; when there are more, none is accepted until some have expired.
    static let maxRemembered = 200_000

    /// The 12 bytes of an AES-GCM nonce.
    struct Nonce: Hashable {
        private let high: UInt64
        private let low: UInt32

        init(_ bytes: some Sequence<UInt8>) {
            var (high, low): (UInt64, UInt32) = (0, 0)
            for (index, byte) in bytes.enumerated() {
                if index < 8 { high = high << 8 | UInt64(byte) } else { low = low << 8 | UInt32(byte) }
            }
            (self.high, self.low) = (high, low)
        }
    }

    private struct Generation {
        var nonces: Set<Nonce> = []
        /// When the last of them expires.
        var end = WallTime(milliseconds: .min)
    }

    private let capacity: Int
    private var younger = Generation()
    private var older = Generation()

    init(capacity: Int = Self.maxRemembered) { self.capacity = capacity }

    /// Tickets that are remembered.
    var count: Int { younger.nonces.count + older.nonces.count }

    /// Remembers a ticket that has not expired; false when it was used before, or when no more can be remembered.
    mutating func insert(_ nonce: Nonce, expiresAt: WallTime, now: WallTime) -> Bool {
        if older.end <= now {
            older = younger
            younger = Generation()
        }
        guard count < capacity, !older.nonces.contains(nonce) else { return false }
        younger.end = max(younger.end, expiresAt)
        return younger.nonces.insert(nonce).inserted
    }
}
