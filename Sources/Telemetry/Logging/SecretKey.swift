/// What the name of a value says about the value: header fields, metadata keys, query parameters, members of JSON objects.
enum SecretKey {
    enum Kind: Equatable {
        /// The value is a secret.
        case secret
        /// The value is a secret, and the name is no word that sentences are about.
        case password
        /// The value is a secret that may have spaces in it, as header fields do.
        case header
    }

    /// Longer names are compared by their end.
    static let maxLength = 64

    private static let words: [(text: [UInt8], kind: Kind)] = [
        (Array("authorization".utf8), .header), (Array("cookie".utf8), .header), (Array("token".utf8), .secret),
        (Array("ticket".utf8), .secret), (Array("password".utf8), .password), (Array("passwd".utf8), .password),
        (Array("secret".utf8), .secret), (Array("apikey".utf8), .password), (Array("credential".utf8), .secret),
    ]
    private static let shortest = 5
    // Part of the protocol, chosen by clients to find their own requests again; and counts of words.
    private static let harmless: [[UInt8]] = [Array("progresstoken".utf8), Array("maxtokens".utf8)]
    private static let sessionKeys: [[UInt8]] = ["session", "sessionid", "mcpsessionid", "xsessionid"].map { Array($0.utf8) }

    /// What kind of secret is under a name, if any. `X-Api-Key`, `x_api_key` and `xApiKey` are one name.
    static func kind(of name: UnsafeBufferPointer<UInt8>) -> Kind? {
        guard name.count >= shortest else { return nil }
        return withNormalised(name) { name in
            for start in 0..<max(0, name.count - shortest + 1) {
                for (word, kind) in words where word[0] == name[start] {
                    let rest = UnsafeBufferPointer(rebasing: name[start...])
                    guard rest.starts(with: word) else { continue }
                    return harmless.contains { $0.elementsEqual(name) } ? nil : kind
                }
            }
            return nil
        }
    }

    static func kind(of name: String) -> Kind? {
        var name = name
        return name.withUTF8 { kind(of: $0) }
    }

    /// Whether the value is the id of a session.
    static func isSession(_ name: String) -> Bool {
        var name = name
        return name.withUTF8 { name in
            guard name.count >= 7, name.count <= 20 else { return false }
            return withNormalised(name) { name in sessionKeys.contains { $0.elementsEqual(name) } }
        }
    }

    /// Whether a byte can be in a name.
    static func isPart(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    /// In small letters, without `-` and `_`.
    private static func withNormalised<R>(_ name: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) -> R) -> R {
        let name = UnsafeBufferPointer(rebasing: name.suffix(maxLength))
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: maxLength) { buffer in
            var count = 0
            for byte in name where byte != UInt8(ascii: "-") && byte != UInt8(ascii: "_") {
                let isCapital = byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z")
                buffer.initializeElement(at: count, to: isCapital ? byte | 0x20 : byte)
                count += 1
            }
            return body(UnsafeBufferPointer(rebasing: buffer[..<count]))
        }
    }
}
