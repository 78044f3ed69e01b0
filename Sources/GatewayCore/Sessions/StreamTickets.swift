import Crypto
import Foundation
import NIOConcurrencyHelpers

/// Single-use tickets for `GET /sse/events?ticket=…`: a browser's `EventSource` cannot send a header, and a session id must not stand in an
/// URL, which proxies and browsers write down.
///
/// A ticket is sealed (AES-GCM), so it tells nothing about the session. The key belongs to the process: which tickets were used is known to
/// the process only, so its tickets must end with it.
final class StreamTickets: Sendable {
    /// Used tickets that are remembered until they expire; when there are more, none is accepted.
    static let maxRemembered = 100_000

    private let key = SymmetricKey(size: .bits256)
    /// Expiry of used tickets by their nonce.
    private let used = NIOLockedValueBox<[Data: WallTime]>([:])

    func make(for session: SessionID, expiresAt: WallTime) -> String {
        var content = Data(session.bytes)
        withUnsafeBytes(of: expiresAt.milliseconds.bigEndian) { content.append(contentsOf: $0) }
        // Sealing fails for nonces of a wrong size only, and this one is made here.
        guard let box = try? AES.GCM.seal(content, using: key), let combined = box.combined else { return "" }
        return combined.base64EncodedString().replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
            .replacingOccurrences(of: "=", with: "")
    }

    func redeem(_ ticket: String, now: WallTime) -> SessionID? {
        guard ticket.utf8.count <= 128 else { return nil }
        var text = ticket.replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
        while text.utf8.count % 4 != 0 { text += "=" }
        guard let data = Data(base64Encoded: text), let box = try? AES.GCM.SealedBox(combined: data),
            let content = try? AES.GCM.open(box, using: key), content.count == 24, let session = SessionID(bytes: content.prefix(16))
        else { return nil }
        let expiresAt = WallTime(
            milliseconds: Int64(bitPattern: content.suffix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }))
        guard now < expiresAt else { return nil }
        let isFirst = used.withLockedValue { used in
            if used.count >= Self.maxRemembered / 2 { used = used.filter { $0.value > now } }
            guard used.count < Self.maxRemembered else { return false }
            return used.updateValue(expiresAt, forKey: Data(box.nonce)) == nil
        }
        return isFirst ? session : nil
    }
}
