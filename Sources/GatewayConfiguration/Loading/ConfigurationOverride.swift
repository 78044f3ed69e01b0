/// A command-line flag that sets a gateway key. Flags are the strongest source.
public struct ConfigurationOverride: Sendable, Equatable {
    /// The flag as the user wrote it, for messages: `--port`.
    public var flag: String
    /// Path of the key without the leading `gateway.`: `port`, `log.level`.
    public var key: String
    /// The value as it would stand in an environment variable; lists are separated by commas.
    public var value: String

    /// - Parameters:
    ///   - flag: the flag as the user wrote it.
    ///   - key: path of the key without `gateway.`.
    ///   - value: the value as text.
    public init(flag: String, key: String, value: String) {
        self.flag = flag
        self.key = key
        self.value = value
    }
}
