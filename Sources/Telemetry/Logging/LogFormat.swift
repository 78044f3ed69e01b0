/// How log lines look.
public enum LogFormat: String, Sendable, CaseIterable {
    /// `text` when standard error is a terminal, `json` otherwise.
    case auto
    /// For people: time, level, message, `key=value`.
    case text
    /// For machines: one JSON object per line.
    case json
}
