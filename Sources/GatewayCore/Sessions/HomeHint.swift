import Crypto
import Foundation

/// Which instance made a session, as the first three digits of the session's id say it, so that a balancer can send the session's requests straight
/// to its home instead of to an instance that has to pass them on. Nothing depends on it: it may be wrong, be ignored, or stand for two instances.
public struct HomeHint: Sendable, Hashable, CustomStringConvertible {
    /// 12 bits.
    let bits: UInt16

    /// - Parameter authority: where the instance is reached, as `host:port`.
    public init(authority: String) {
        bits = SHA256.hash(data: Data(authority.lowercased().utf8)).prefix(2).reduce(0) { $0 << 8 | UInt16($1) } >> 4
    }

    /// The three hexadecimal digits, lower case, that ids of this instance's sessions begin with.
    public var description: String {
        let digits = String(bits, radix: 16)
        return String(repeating: "0", count: 3 - digits.count) + digits
    }
}
