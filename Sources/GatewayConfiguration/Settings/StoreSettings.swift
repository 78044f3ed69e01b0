/// Where sessions and event streams are kept (`gateway.store`).
public struct StoreSettings: Sendable, Equatable {
    public enum Kind: String, Sendable, Equatable, CaseIterable {
        /// SQLite in `dataDirectory`: sessions and streams survive a crash and a restart.
        case embedded
        /// Nothing survives the process; for tests and throw-away gateways.
        case memory
    }

    public var kind = Kind.embedded
    /// Absolute path of the directory of the embedded store. `ConfigurationLoader` does not create it; `prepareDataDirectory()` does.
    public var dataDirectory = SystemDefaults.dataDirectory()

    /// The defaults.
    public init() {}
}
