/// Where an instance listens: `http://<host>` or `http://<host>:<port>`, as `cluster.address` and `nginx.instances` say it.
public struct InstanceAddress: Hashable, Sendable, CustomStringConvertible {
    /// Why a text is none. The description follows the name of what it is wrong with, and holds nothing of the text.
    public enum Problem: Error, CustomStringConvertible {
        case encrypted
        case malformed
        /// Every address of whoever connects to it.
        case unspecified

        public var description: String {
            switch self {
            case .encrypted: "must begin with http://, because the gateway itself serves no TLS"
            case .malformed: "must be an address such as http://10.0.0.5:3001, without a path"
            case .unspecified:
                "must be where others reach the instance, such as http://10.0.0.5:3001 (0.0.0.0 and [::] only say where it listens)"
            }
        }
    }

    /// A name or an IP address, an IPv6 address without brackets.
    public let host: String
    /// 1 – 65535.
    public let port: Int

    /// - Throws: ``Problem`` for anything that no other machine could be told, IPv6 zones among it: they are names of one machine.
    public init(_ text: String) throws(Problem) {
        guard text.hasPrefix("http://") else { throw text.hasPrefix("https://") ? .encrypted : .malformed }
        let authority = text.dropFirst("http://".count)
        let rest: Substring
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            host = String(authority[..<end].dropFirst())
            rest = authority[end...].dropFirst()
            guard host.utf8.allSatisfy(Self.isPartOfIPv6) else { throw .malformed }
        } else {
            host = String(authority.prefix { $0 != ":" })
            rest = authority.dropFirst(host.count)
            guard host.utf8.allSatisfy(Self.isPartOfName) else { throw .malformed }
        }
        guard !host.isEmpty else { throw .malformed }
        guard !host.utf8.allSatisfy(Self.isPartOfUnspecified) else { throw .unspecified }
        guard !rest.isEmpty else {
            port = 80
            return
        }
        guard rest.first == ":", rest.dropFirst().utf8.allSatisfy(Self.isDigit), let number = UInt16(rest.dropFirst()), number > 0 else {
            throw .malformed
        }
        port = Int(number)
    }

    /// As `Host` says it, the port always named.
    public var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    public var description: String { "http://\(authority)" }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    /// Of `0.0.0.0`, `::` and their other forms; no other name or address has these characters only.
    private static func isPartOfUnspecified(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "0") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: ":")
    }

    private static func isPartOfIPv6(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "F"), UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: ":"), UInt8(ascii: "."): true
        default: isDigit(byte)
        }
    }

    private static func isPartOfName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "."), UInt8(ascii: "-"),
            UInt8(ascii: "_"):
            true
        default: isDigit(byte)
        }
    }
}
