import Crypto
import MCPProtocol

/// What the keys of all instances derive from.
struct ClusterSecret: Sendable {
    let bytes: [UInt8]
    /// What Redis has of it: the secret itself in hexadecimal digits, or a digest where it comes from a file.
    let stored: String

    private static let filePrefix = "file:"
    static let minimumBytes = 32

    /// One of a file (`cluster.secretFile`).
    init(given bytes: [UInt8]) throws(RedisStoreError) {
        guard bytes.count >= Self.minimumBytes else { throw .shortSecret(bytes: bytes.count) }
        self.bytes = bytes
        stored = Self.filePrefix + Hexadecimal.text(of: Array(SHA256.hash(data: bytes)))
    }

    /// A new one.
    init() {
        var generator = SystemRandomNumberGenerator()
        bytes = (0..<Self.minimumBytes).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        stored = Hexadecimal.text(of: bytes)
    }

    /// The one that Redis has, when this instance was not given another.
    init(stored text: String, given: ClusterSecret?) throws(RedisStoreError) {
        if let given {
            guard given.stored == text else { throw .otherSecret(isFromFile: true) }
            self = given
            return
        }
        guard !text.hasPrefix(Self.filePrefix) else { throw .otherSecret(isFromFile: false) }
        guard let bytes = Hexadecimal.bytes(of: text), bytes.count >= Self.minimumBytes else {
            throw .unexpected(detail: "the field `secret` of the key `cluster` is no secret")
        }
        self.bytes = bytes
        stored = text
    }
}
