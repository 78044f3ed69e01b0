import Logging

/// Keeps secrets out of the log.
public enum SecretRedactor {
    /// What is printed instead of a secret.
    public static let replacement = "[redacted]"

    private static let secretWords = ["authorization", "token", "password", "passwd", "secret", "cookie", "apikey", "credential"]
    private static let sessionKeys: Set<String> = ["session", "sessionid", "mcpsessionid", "xsessionid"]

    /// The first 8 characters of a session id and "…": enough to follow a session through the log, too little to take it over.
    public static func shortened(_ sessionID: String) -> String {
        sessionID.prefix(8) + "…"
    }

    /// Whether a metadata key names a secret: `authorization`, `X-Api-Key`, `redis_password`, …
    public static func isSecret(key: String) -> Bool {
        let plain = normalised(key)
        return secretWords.contains { plain.contains($0) }
    }

    /// The value to print under `key`: secrets replaced, session ids shortened, dictionaries searched.
    static func redacted(_ value: Logger.MetadataValue, key: String) -> Logger.MetadataValue {
        if isSecret(key: key) { return .string(replacement) }
        switch value {
        case .string(let text):
            return isSession(key: key) ? .string(shortened(text)) : value
        case .stringConvertible(let convertible):
            return isSession(key: key) ? .string(shortened(convertible.description)) : value
        case .dictionary(let dictionary):
            return .dictionary(Dictionary(uniqueKeysWithValues: dictionary.map { ($0, redacted($1, key: $0)) }))
        case .array(let values):
            return .array(values.map { redacted($0, key: key) })
        }
    }

    private static func isSession(key: String) -> Bool { sessionKeys.contains(normalised(key)) }

    /// `X-Api-Key`, `x_api_key` and `xApiKey` are one key.
    private static func normalised(_ key: String) -> String {
        String(decoding: key.utf8.lazy.filter { $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: "_") }, as: UTF8.self).lowercased()
    }
}
