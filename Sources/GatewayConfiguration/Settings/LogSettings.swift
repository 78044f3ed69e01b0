public import Logging

/// One entry of `log.levels`: the level of the loggers whose label is `module` or begins with it and a dot.
public struct LogLevelRule: Sendable, Equatable {
    /// Label or beginning of labels, such as `gateway.http`.
    public var module: String
    /// Least severe level that is logged.
    public var level: Logger.Level

    /// Reads `module=level`; nil for anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: "=", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty,
            parts[0].utf8.allSatisfy({ ServerName.isAllowed($0) || $0 == UInt8(ascii: ".") }),
            let level = Logger.Level(rawValue: parts[1] == "warn" ? "warning" : String(parts[1]))
        else { return nil }
        module = String(parts[0])
        self.level = level
    }
}

/// The log, which goes to standard error (`gateway.log`).
public struct LogSettings: Sendable, Equatable {
    /// How a line of the log looks.
    public enum Format: String, Sendable, Equatable, CaseIterable {
        /// `text` on a terminal, `json` elsewhere.
        case auto
        case text
        /// One JSON object per line.
        case json
    }

    /// Least severe level that is logged.
    public var level = Logger.Level.info
    /// Levels of single modules, each as `module=level`.
    public var levels: [String] = []
    /// How a line of the log looks.
    public var format = Format.auto

    /// The entries of `levels`, read.
    public var levelRules: [LogLevelRule] { levels.compactMap(LogLevelRule.init) }

    /// The defaults.
    public init() {}
}
