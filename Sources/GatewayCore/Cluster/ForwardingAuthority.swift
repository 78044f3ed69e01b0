import Crypto
import MCPProtocol
public import NIOCore
import NIOConcurrencyHelpers
import Synchronization

/// What one instance says with a request that it passes on to another.
public struct ForwardClaims: Sendable, Hashable {
    public let reason: ForwardReason
    /// SHA-256, hexadecimal.
    let bodyDigest: String

    /// Whether this is the body that was signed.
    public func cover(_ body: ByteBuffer) -> Bool { bodyDigest == ForwardingAuthority.digest(of: body) }
}

/// Signs requests that go from one instance to another, so that nobody else can claim to be one: what comes from an instance has been
/// admitted, and is not admitted again.
///
/// HMAC-SHA256 with a key that all instances share, over who, for whom, when, what is asked for, for which session, and a digest of the body, so that
/// the head alone tells. Requests are numbered, and each number is good once.
public final class ForwardingAuthority: Sendable {
    /// How far the clocks of two instances may be apart, transport included.
    static let tolerance: Duration = .seconds(30)

    private let key: SymmetricKey
    private let own: InstanceIdentity
    private let lastNumber = Atomic<UInt64>(0)
    private let received = NIOLockedValueBox(ReplayGuard(memory: tolerance * 2))

    init(key: SymmetricKey, own: InstanceIdentity) {
        self.key = key
        self.own = own
    }

    /// The value of the header field.
    ///
    /// - Parameter receiver: the instance that the request is for, in this life of it: one that starts again takes nothing that was for the one before.
    public func sign(
        _ reason: ForwardReason, for receiver: InstanceIdentity, method: String, target: String, body: ByteBuffer, now: WallTime
    ) -> String {
        let number = lastNumber.wrappingAdd(1, ordering: .relaxed).newValue
        let fields = "\(own);\(number);\(now.milliseconds);\(reason.rawValue);\(Self.digest(of: body))"
        let code = HMAC<SHA256>.authenticationCode(
            for: Self.signed(fields, receiver: receiver, method: method, target: target), using: key)
        return "\(fields);\(Hexadecimal.text(of: Array(code)))"
    }

    /// What the field says; nil unless an instance of this cluster signed it for this one, this request and about now, and it has not been here
    /// before. The body is still to be compared (``ForwardClaims/cover(_:)``).
    public func verify(_ field: String, method: String, target: String, now: WallTime) -> ForwardClaims? {
        let parts = field.split(separator: ";", omittingEmptySubsequences: false)
        guard parts.count == 6, let number = UInt64(parts[1]), let milliseconds = Int64(parts[2]),
            let reason = UInt8(parts[3]).flatMap(ForwardReason.init), let code = Hexadecimal.bytes(of: parts[5])
        else { return nil }
        let sent = WallTime(milliseconds: milliseconds)
        guard sent > now - Self.tolerance, sent < now + Self.tolerance else { return nil }
        let fields = field[..<parts[4].endIndex]
        guard
            HMAC<SHA256>.isValidAuthenticationCode(
                code, authenticating: Self.signed(fields, receiver: own, method: method, target: target), using: key)
        else { return nil }
        guard received.withLockedValue({ $0.admits(number, of: String(parts[0]), now: now) }) else { return nil }
        return ForwardClaims(reason: reason, bodyDigest: String(parts[4]))
    }

    private static func signed(_ fields: some StringProtocol, receiver: InstanceIdentity, method: String, target: String) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(512)
        bytes.append(contentsOf: fields.utf8)
        for part in [receiver.description, method, target] {
            bytes.append(UInt8(ascii: "\n"))
            bytes.append(contentsOf: part.utf8)
        }
        return bytes
    }

    static func digest(of body: ByteBuffer) -> String {
        let digest = body.withUnsafeReadableBytes { bytes in
            var hash = SHA256()
            hash.update(bufferPointer: bytes)
            return hash.finalize()
        }
        return Hexadecimal.text(of: Array(digest))
    }
}
