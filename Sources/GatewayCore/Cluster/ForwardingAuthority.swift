import Crypto
public import NIOCore
import NIOConcurrencyHelpers
import Synchronization

/// What one instance says with a request that it passes on to another.
public struct ForwardClaims: Sendable, Hashable {
    /// Who passes it on.
    public let sender: String
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
    /// Tells the numbers of this process from those of the one before it.
    private let series = UInt64.random(in: .min ... .max)
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
        let fields = "\(own);\(series);\(number);\(now.milliseconds);\(reason.rawValue);\(Self.digest(of: body))"
        let code = HMAC<SHA256>.authenticationCode(
            for: Self.signed(fields, receiver: receiver, method: method, target: target), using: key)
        return "\(fields);\(Self.hexadecimal(code))"
    }

    /// What the field says; nil unless an instance of this cluster signed it for this one, this request and about now, and it has not been here
    /// before. The body is still to be compared (``ForwardClaims/cover(_:)``).
    public func verify(_ field: String, method: String, target: String, now: WallTime) -> ForwardClaims? {
        let parts = field.split(separator: ";", omittingEmptySubsequences: false)
        guard parts.count == 7, let series = UInt64(parts[1]), let number = UInt64(parts[2]), let milliseconds = Int64(parts[3]),
            let reason = UInt8(parts[4]).flatMap(ForwardReason.init), let code = Self.bytes(ofHexadecimal: parts[6])
        else { return nil }
        let sent = WallTime(milliseconds: milliseconds)
        guard sent > now - Self.tolerance, sent < now + Self.tolerance else { return nil }
        let fields = field[..<parts[5].endIndex]
        guard
            HMAC<SHA256>.isValidAuthenticationCode(
                code, authenticating: Self.signed(fields, receiver: own, method: method, target: target), using: key)
        else { return nil }
        let sender = String(parts[0])
        guard received.withLockedValue({ $0.admits(number, of: .init(name: sender, series: series), now: now) }) else { return nil }
        return ForwardClaims(sender: sender, reason: reason, bodyDigest: String(parts[5]))
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
        hexadecimal(
            body.withUnsafeReadableBytes { bytes in
                var hash = SHA256()
                hash.update(bufferPointer: bytes)
                return hash.finalize()
            })
    }

    /// 32 bytes, lower case.
    private static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        let digits: StaticString = "0123456789abcdef"
        return String(unsafeUninitializedCapacity: 64) { output in
            var position = 0
            for byte in bytes.prefix(32) {
                output[position] = digits.utf8Start[Int(byte >> 4)]
                output[position + 1] = digits.utf8Start[Int(byte & 15)]
                position += 2
            }
            return position
        }
    }

    private static func bytes(ofHexadecimal text: Substring) -> [UInt8]? {
        guard text.utf8.count == 64 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(32)
        var high: UInt8?
        for digit in text.utf8 {
            let value: UInt8
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = digit - UInt8(ascii: "a") + 10
            default: return nil
            }
            if let first = high {
                bytes.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        return bytes
    }
}
