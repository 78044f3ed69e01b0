/// What has to happen to come from one configuration to another. Pure; disabled servers count as absent.
public struct ConfigurationDiff: Sendable, Equatable {
    /// A server that is in both configurations and not the same.
    public struct Change: Sendable, Equatable {
        /// As it was.
        public var old: ServerConfiguration
        /// As it is to be.
        public var new: ServerConfiguration

        /// Whether the process or connection has to be replaced; otherwise only the filter or the time limits are new.
        public var needsRestart: Bool { old.transport != new.transport || old.isolation != new.isolation || old.era != new.era }
    }

    /// In the order of the new file.
    public var added: [ServerConfiguration]
    /// In the order of the old file.
    public var removed: [ServerConfiguration]
    /// In the order of the new file.
    public var changed: [Change]
    /// Paths of gateway keys, such as `gateway.port`, whose new value is used only after a restart of the gateway.
    public var needRestart: [String]
    /// Whether `log.level` or `log.levels` is new, which takes effect at once.
    public var logLevelsChanged: Bool

    /// - Parameters:
    ///   - old: the configuration that is in use.
    ///   - new: the configuration that was read.
    public init(from old: GatewayConfiguration, to new: GatewayConfiguration) {
        let before = Dictionary(old.enabledServers.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let after = Dictionary(new.enabledServers.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        added = new.enabledServers.filter { before[$0.name] == nil }
        removed = old.enabledServers.filter { after[$0.name] == nil }
        changed = new.enabledServers.compactMap { server in
            guard let previous = before[server.name], previous != server else { return nil }
            return Change(old: previous, new: server)
        }
        needRestart = ConfigurationKeys.gateway.compactMap { key in
            guard !Self.atOnce.contains(key.path), let binding = key.binding, binding.read(old.gateway) != binding.read(new.gateway) else {
                return nil
            }
            return "gateway.\(key.path)"
        }
        logLevelsChanged = old.gateway.log.level != new.gateway.log.level || old.gateway.log.levels != new.gateway.log.levels
    }

    /// Keys of the gateway that need no restart.
    private static let atOnce: Set<String> = ["log.level", "log.levels", "nginx.instances"]

    /// Whether nothing has to happen.
    public var isEmpty: Bool { added.isEmpty && removed.isEmpty && changed.isEmpty && needRestart.isEmpty && !logLevelsChanged }

    /// The warning for the log, or `nil` if no gateway key needs a restart.
    public var restartWarning: String? {
        guard !needRestart.isEmpty else { return nil }
        return "these settings changed and take effect after a restart of the gateway: \(needRestart.joined(separator: ", "))"
    }
}
