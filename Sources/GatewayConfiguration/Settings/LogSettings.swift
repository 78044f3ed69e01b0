public import Logging

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
    /// How a line of the log looks.
    public var format = Format.auto

    /// The defaults.
    public init() {}
}
