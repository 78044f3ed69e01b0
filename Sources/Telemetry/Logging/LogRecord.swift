import Logging

/// One log line before it is bytes: what both formats start from. Secrets are gone already.
struct LogRecord {
    /// Since 1970-01-01T00:00:00Z.
    var nanoseconds: Int64
    var level: Logger.Level
    var label: String
    var message: String
    /// Sorted by key, so that equal lines look equal.
    var metadata: [(key: String, value: Logger.MetadataValue)]
}
