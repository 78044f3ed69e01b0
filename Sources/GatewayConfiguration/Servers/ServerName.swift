/// The rules for names of servers: they become the first half of `<server>__<tool>` and a part of `/servers/<name>/mcp`.
public enum ServerName {
    /// Names of built-in upstreams.
    public static let reserved: Set<String> = ["environment"]
    /// Longest name, in characters.
    public static let maxLength = 64

    /// Why a name is not acceptable, or `nil` if it is.
    public static func problem(with name: String) -> String? {
        if name.isEmpty { return "a server needs a name" }
        if name.utf8.count > maxLength { return "a server name has at most \(maxLength) characters" }
        if !name.utf8.allSatisfy(isAllowed) { return "a server name consists of the characters A-Z a-z 0-9 _ -" }
        if name.contains("__") { return "a server name must not contain \"__\", which separates server and tool" }
        if name.hasSuffix("_") { return "a server name must not end with \"_\": the \"__\" that separates server and tool follows it" }
        if reserved.contains(name) { return "\"\(name)\" is the name of the gateway's built-in tools" }
        return nil
    }

    static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
