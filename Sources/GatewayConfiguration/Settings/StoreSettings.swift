import Foundation

/// Where sessions and event streams are kept (`gateway.store`).
public struct StoreSettings: Sendable, Equatable {
    /// What the store is made of.
    public enum Kind: String, Sendable, Equatable, CaseIterable {
        /// SQLite in `dataDirectory`: sessions and streams survive a crash and a restart.
        case embedded
        /// Redis: many instances share sessions and streams.
        case redis
        /// Nothing survives the process; for tests and throw-away gateways.
        case memory
    }

    /// What the store is made of.
    public var kind = Kind.embedded
    /// Absolute path of the directory of the embedded store. `ConfigurationLoader` does not create it; `prepareDataDirectory()` does.
    public var dataDirectory = SystemDefaults.dataDirectory()

    /// Redis, for `Kind.redis`.
    public var redis = RedisSettings()

    /// The defaults.
    public init() {}

    /// Creates `dataDirectory` with mode 0700 if it does not exist; does nothing for other kinds than `Kind.embedded`.
    /// - Throws: a `ConfigurationError` that names the directory and what to do.
    public func prepareDataDirectory() throws(ConfigurationError) {
        guard kind == .embedded else { return }
        do {
            try FileManager.default.createDirectory(
                atPath: dataDirectory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw failure("cannot be created: \(error.localizedDescription)")
        }
        guard FileManager.default.isWritableFile(atPath: dataDirectory) else { throw failure("is not writable") }
    }

    private func failure(_ reason: String) -> ConfigurationError {
        ConfigurationError([
            ConfigurationProblem(
                origin: .file(path: dataDirectory, line: nil), key: "gateway.store.dataDirectory",
                message: "the directory \(reason); name another one with gateway.store.dataDirectory or MCP_GATEWAY_STORE_DATA_DIRECTORY")
        ])
    }
}
