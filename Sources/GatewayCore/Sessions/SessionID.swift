import Crypto
import Foundation
import MCPProtocol

/// A session id: a version-4 UUID whose random bits carry a keyed MAC, so that a forged id is told from one that this cluster
/// made without a look-up.
///
/// Bytes 0–7 are random but for the version nibble (60 bits), bytes 8–15 are the first 62 bits of HMAC-SHA256 over them and the variant. Among
/// several instances the first 12 bits say where the session was made (``HomeHint``), and 48 are random.
public struct SessionID: Sendable, Hashable, CustomStringConvertible {
    let high: UInt64
    let low: UInt64

    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Reads the textual form of RFC 9562, lower or upper case; nil for anything else. Says nothing about the MAC.
    public init?(_ text: some StringProtocol) {
        let digits = text.utf8
        guard digits.count == 36 else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        var position = 0
        var nibbles = 0
        for byte in digits {
            if position == 8 || position == 13 || position == 18 || position == 23 {
                guard byte == UInt8(ascii: "-") else { return nil }
            } else {
                guard let value = Hexadecimal.value(of: byte) else { return nil }
                if nibbles < 16 { high = high << 4 | UInt64(value) } else { low = low << 4 | UInt64(value) }
                nibbles += 1
            }
            position += 1
        }
        self.high = high
        self.low = low
    }

    /// The 16 bytes, for stores.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 16 else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for byte in bytes.prefix(8) { high = high << 8 | UInt64(byte) }
        for byte in bytes.dropFirst(8) { low = low << 8 | UInt64(byte) }
        self.high = high
        self.low = low
    }

    /// The 16 bytes, for stores.
    public var bytes: [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: high >> (56 - 8 * $0)) } + (0..<8).map { UInt8(truncatingIfNeeded: low >> (56 - 8 * $0)) }
    }

    /// The textual form of RFC 9562, lower case.
    public var description: String {
        String(unsafeUninitializedCapacity: 36) { output in
            var position = 0
            for nibble in 0..<32 {
                if nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20 {
                    output[position] = UInt8(ascii: "-")
                    position += 1
                }
                let word = nibble < 16 ? high : low
                output[position] = Hexadecimal.digit(UInt8((word >> UInt64(60 - 4 * (nibble & 15))) & 15))
                position += 1
            }
            return 36
        }
    }

    /// What logs show: never the whole id.
    public var shortened: String { String(description.prefix(8)) + "…" }
}

/// Makes session ids and tells its own from forged ones.
public struct SessionIDAuthority: Sendable {
    private let key: SymmetricKey
    private let hint: HomeHint?

    /// - Parameters:
    ///   - key: the secret that all instances of a cluster share; at least 32 bytes.
    ///   - hint: what new ids say of where their sessions are at home; nil: nothing.
    public init(key: [UInt8], hint: HomeHint? = nil) {
        self.key = SymmetricKey(data: key)
        self.hint = hint
    }

    /// A new id.
    public func make() -> SessionID {
        var generator = SystemRandomNumberGenerator()
        return make(random: generator.next())
    }

    /// The id for given random bits.
    public func make(random: UInt64) -> SessionID {
        let hinted = hint.map { UInt64($0.bits) << 52 | random & (1 << 52 - 1) } ?? random
        let high = hinted & ~0xF000 | 0x4000
        return SessionID(high: high, low: mac(high))
    }

    /// Whether an authority with the same key made the id.
    public func isGenuine(_ id: SessionID) -> Bool {
        // One comparison of two words: no early exit that would tell how many bytes were right.
        id.high & 0xF000 == 0x4000 && id.low == mac(id.high)
    }

    /// A key for another use, of the same secret: all instances of a cluster have it.
    func derivedKey(_ use: StaticString) -> SymmetricKey {
        HKDF<SHA256>.deriveKey(inputKeyMaterial: key, info: Data("\(use)".utf8), outputByteCount: 32)
    }

    private func mac(_ high: UInt64) -> UInt64 {
        var code = HMAC<SHA256>(key: key)
        withUnsafeBytes(of: high.bigEndian) { code.update(data: $0) }
        let word = code.finalize().prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return word & ~(UInt64(0b11) << 62) | UInt64(0b10) << 62
    }
}
