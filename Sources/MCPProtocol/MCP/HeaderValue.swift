import Foundation

/// How a value of a message stands in an HTTP header field (2026-07-28, basic/transports/streamable-http, "Value Encoding").
public enum HeaderValue {
    private static let prefix = "=?base64?"
    private static let suffix = "?="

    /// The value as it is where it can be, else in Base64 between markers.
    public static func encode(_ value: String) -> String {
        let bytes = value.utf8
        let isPlain =
            bytes.allSatisfy { $0 >= 0x20 && $0 < 0x7F } && bytes.first != 0x20 && bytes.last != 0x20
            && !(value.hasPrefix(prefix) && value.hasSuffix(suffix))
        return isPlain ? value : prefix + Data(bytes).base64EncodedString() + suffix
    }

    /// The value that a field stands for; nil when it is no valid encoding of any.
    public static func decode(_ field: String) -> String? {
        guard field.hasPrefix(prefix), field.hasSuffix(suffix), field.utf8.count >= prefix.utf8.count + suffix.utf8.count else {
            return field.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F || $0 == 0x09 } ? field : nil
        }
        let text = String(field.dropFirst(prefix.count).dropLast(suffix.count))
        // Only the one way of writing it: two fields that mean the same are the same.
        guard let data = Data(base64Encoded: text), data.base64EncodedString() == text else { return nil }
        return String(validating: data, as: UTF8.self)
    }
}
