public import Logging

/// Makes `GatewayLogHandler` the program's log handler.
public enum LoggingBootstrap {
    private static let standardError: Int32 = 2
    private static let sink = LogSink(descriptor: standardError)

    /// The levels of all loggers, to be changed while the program runs.
    public static let levels = LogLevels()

    /// How many lines could not be written since the start.
    public static var lostLines: Int { sink.lostLines }

    /// Replaces all levels at once, in loggers that exist already too: after an edit of the configuration.
    ///
    /// - Parameters:
    ///   - level: of labels that no rule covers.
    ///   - rules: levels of labels by their prefix, see `LogLevels`.
    public static func apply(default level: Logger.Level, rules: [(prefix: String, level: Logger.Level)]) {
        levels.apply(default: level, rules: rules)
    }

    /// Sends all logs to standard error. Call once, before the first logger is made: swift-log stops the program at a second call.
    ///
    /// Logging blocks while standard error is a full pipe that blocks; when it is closed, lines are lost silently. `SIGPIPE` is ignored
    /// from here on, unless somebody else handles it.
    ///
    /// - Parameters:
    ///   - format: `auto` is text on a terminal and JSON elsewhere. Text has colours on a terminal unless `NO_COLOR` is set.
    ///   - level: of labels that no rule covers.
    ///   - rules: levels of labels by their prefix, see `LogLevels`.
    ///   - metadataProvider: adds metadata of the current task to each line.
    public static func bootstrap(
        format: LogFormat = .auto, level: Logger.Level = .info, rules: [(prefix: String, level: Logger.Level)] = [],
        metadataProvider: Logger.MetadataProvider? = nil
    ) {
        LogSink.ignoreBrokenPipeSignal()
        levels.apply(default: level, rules: rules)
        let noColour = LogSink.environment("NO_COLOR").map { !$0.isEmpty } ?? false
        let output = GatewayLogHandler.Output(
            encoder: encoder(format: format, isTerminal: sink.isTerminal, noColour: noColour), write: sink.write, now: LogSink.now)
        LoggingSystem.bootstrap(
            { label, provider in GatewayLogHandler(label: label, levels: levels, output: output, metadataProvider: provider) },
            metadataProvider: metadataProvider)
    }

    static func encoder(format: LogFormat, isTerminal: Bool, noColour: Bool) -> GatewayLogHandler.Output.Encoder {
        let timestamp = LogTimestamp()
        return switch format {
        case .json: .json(JSONLogEncoder(timestamp: timestamp))
        case .auto where !isTerminal: .json(JSONLogEncoder(timestamp: timestamp))
        case .auto, .text: .text(TextLogEncoder(timestamp: timestamp, colours: isTerminal && !noColour))
        }
    }
}
