import Logging

/// Keeps secrets out of the log: by the key they are under, and by their form wherever they are.
public enum SecretRedactor {
    /// What is printed instead of a secret.
    public static let replacement = "[redacted]"

    /// The first 8 characters of a session id and "…": enough to follow a session through the log, too little to take it over.
    public static func shortened(_ sessionID: String) -> String {
        sessionID.prefix(8) + "…"
    }

    /// Whether a metadata key names a secret: `authorization`, `X-Api-Key`, `redis_password`, …
    public static func isSecret(key: String) -> Bool { SecretKey.kind(of: key) != nil }

    /// `text` without session ids, `Bearer` credentials, tickets and values that are named as secrets; see `SecretText`.
    public static func redacted(_ text: String) -> String { SecretText.redacted(text) }

    /// The metadata to print, by key.
    static func redacted(_ metadata: Logger.Metadata) -> [(key: String, value: Logger.MetadataValue)] {
        metadata.map { (SecretText.redacted($0), redacted($1, key: $0)) }.sorted { $0.key < $1.key }
    }

    /// The value to print under `key`: secrets replaced, session ids shortened, dictionaries searched.
    static func redacted(_ value: Logger.MetadataValue, key: String) -> Logger.MetadataValue {
        if isSecret(key: key) { return .string(replacement) }
        switch value {
        case .string(let text):
            return .string(SecretKey.isSession(key) ? shortened(text) : SecretText.redacted(text))
        case .stringConvertible(let convertible):
            if SecretKey.isSession(key) { return .string(shortened(convertible.description)) }
            // The kinds that stay what they are in JSON.
            if convertible is Int || convertible is Bool || convertible is Double || convertible is any BinaryInteger { return value }
            return .string(SecretText.redacted(convertible.description))
        case .dictionary(let dictionary):
            // Keys that were different ids can be the same when they are shortened.
            let pairs = dictionary.map { (SecretText.redacted($0), redacted($1, key: $0)) }
            return .dictionary(Dictionary(pairs, uniquingKeysWith: { first, _ in first }))
        case .array(let values):
            return .array(values.map { redacted($0, key: key) })
        }
    }
}
