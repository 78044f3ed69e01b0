import Crypto
import Foundation
public import NIOCore

/// What one instance says with a request that it passes on to another.
public struct ForwardClaims: Sendable, Hashable {
    /// Who passes it on.
    public let sender: String
    /// Whether the sender reaches the shared store.
    public let hasStore: Bool

    public init(sender: String, hasStore: Bool) {
        self.sender = sender
        self.hasStore = hasStore
    }
}

/// Signs requests that go from one instance to another, so that nobody else can claim to be one: what comes from an instance has been
/// admitted, and is not admitted again.
///
/// HMAC-SHA256 with a key that all instances share, over who, for whom, when, what is asked for, for which session, and the body. One that was overheard is good for the same
/// request, at the same instance, for half a minute.
public struct ForwardingAuthority: Sendable {
    /// How far the clocks of two instances may be apart, transport included.
    static let tolerance: Duration = .seconds(30)

    private let key: SymmetricKey
    private let own: String

    init(key: SymmetricKey, own: String) {
        self.key = key
        self.own = own
    }

    /// The value of the header field.
    ///
    /// - Parameter receiver: the name of the instance that the request is for.
    public func sign(hasStore: Bool, for receiver: String, method: String, target: String, body: ByteBuffer, now: WallTime) -> String {
        let fields = "\(own);\(now.milliseconds);\(hasStore ? 1 : 0)"
        return "\(fields);\(mac(fields, receiver: receiver, method: method, target: target, body: body))"
    }

    /// What the field says; nil unless an instance of this cluster signed it for this one, this request and about now.
    public func verify(_ field: String, method: String, target: String, body: ByteBuffer, now: WallTime) -> ForwardClaims? {
        guard let end = field.lastIndex(of: ";") else { return nil }
        let fields = field[..<end]
        let parts = fields.split(separator: ";", omittingEmptySubsequences: false)
        guard parts.count == 3, let sent = Int64(parts[1]), parts[2] == "1" || parts[2] == "0" else { return nil }
        guard WallTime(milliseconds: sent) > now - Self.tolerance, WallTime(milliseconds: sent) < now + Self.tolerance else { return nil }
        let expected = mac(String(fields), receiver: own, method: method, target: target, body: body)
        guard Self.areEqual(expected, field[field.index(after: end)...]) else { return nil }
        return ForwardClaims(sender: String(parts[0]), hasStore: parts[2] == "1")
    }

    private func mac(_ fields: String, receiver: String, method: String, target: String, body: ByteBuffer) -> String {
        var code = HMAC<SHA256>(key: key)
        code.update(data: Data("\(fields)\n\(receiver)\n\(method)\n\(target)\n".utf8))
        body.withUnsafeReadableBytes { code.update(data: $0) }
        return code.finalize().map { byte in
            let digits = String(byte, radix: 16)
            return byte < 16 ? "0" + digits : digits
        }.joined()
    }

    /// In a time that does not tell where they differ.
    private static func areEqual(_ left: String, _ right: Substring) -> Bool {
        guard left.utf8.count == right.utf8.count else { return false }
        return zip(left.utf8, right.utf8).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
