public import Logging

/// The log, which goes to standard error (`gateway.log`).
public struct LogSettings: Sendable, Equatable {
    public enum Format: String, Sendable, Equatable, CaseIterable {
        /// `text` on a terminal, `json` elsewhere.
        case auto
        case text
        /// One JSON object per line.
        case json
    }

    public var level = Logger.Level.info
    public var format = Format.auto

    /// The defaults.
    public init() {}
}
