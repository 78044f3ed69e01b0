public import Logging

/// The gateway's log handler: text for terminals or JSON lines, secrets redacted, levels from a shared `LogLevels`.
public struct GatewayLogHandler: LogHandler {
    /// What all handlers of a program share.
    struct Output: Sendable {
        enum Encoder: Sendable {
            case text(TextLogEncoder)
            case json(JSONLogEncoder)
        }

        var encoder: Encoder
        var write: @Sendable ([UInt8]) -> Void
        /// Nanoseconds since 1970-01-01T00:00:00Z.
        var now: @Sendable () -> Int64
    }

    /// Metadata of all lines of this logger.
    public var metadata: Logger.Metadata = [:]
    /// Adds metadata of the current task, such as trace ids.
    public var metadataProvider: Logger.MetadataProvider?

    private let label: String
    private let output: Output
    private let level: LogLevels.Cell
    private var ownLevel: Logger.Level?

    init(label: String, levels: LogLevels, output: Output, metadataProvider: Logger.MetadataProvider? = nil) {
        self.label = label
        self.output = output
        self.metadataProvider = metadataProvider
        level = levels.cell(for: label)
    }

    /// The level of this logger's label in the shared `LogLevels`, until it is set on this logger itself.
    public var logLevel: Logger.Level {
        get { ownLevel ?? level.level }
        set { ownLevel = newValue }
    }

    /// A single value of `metadata`.
    public subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes one line. Returns when the system has taken it, see `LoggingBootstrap`.
    public func log(event: LogEvent) {
        var merged = metadata
        if let provided = metadataProvider?.get() { merged.merge(provided) { $1 } }
        if let own = event.metadata { merged.merge(own) { $1 } }
        if let error = event.error, merged["error"] == nil { merged["error"] = "\(error)" }
        let record = LogRecord(
            nanoseconds: output.now(), level: event.level, label: label, message: SecretRedactor.redacted(event.message.description),
            metadata: SecretRedactor.redacted(merged))
        var line: [UInt8] = []
        line.reserveCapacity(256)
        switch output.encoder {
        case .text(let encoder): encoder.encode(record, to: &line)
        case .json(let encoder): encoder.encode(record, to: &line)
        }
        output.write(line)
    }
}
