public import Logging

/// Makes `GatewayLogHandler` the program's log handler.
public enum LoggingBootstrap {
    private static let standardError: Int32 = 2

    /// Sends all logs to standard error. Call once, before the first logger is made: swift-log stops the program at a second call.
    ///
    /// Logging blocks while standard error is a full pipe that blocks; when it is closed, lines are lost silently. `SIGPIPE` is ignored
    /// from here on, unless somebody else handles it.
    ///
    /// - Parameters:
    ///   - format: `auto` is text on a terminal and JSON elsewhere. Text has colours on a terminal unless `NO_COLOR` is set.
    ///   - level: the level of all labels that get none of their own in the result.
    ///   - metadataProvider: adds metadata of the current task to each line.
    /// - Returns: the levels, to be changed while the program runs.
    @discardableResult
    public static func bootstrap(
        format: LogFormat = .auto, level: Logger.Level = .info, metadataProvider: Logger.MetadataProvider? = nil
    ) -> LogLevels {
        LogSink.ignoreBrokenPipeSignal()
        let levels = LogLevels(default: level)
        let sink = LogSink(descriptor: standardError)
        let noColour = LogSink.environment("NO_COLOR").map { !$0.isEmpty } ?? false
        let output = GatewayLogHandler.Output(
            encoder: encoder(format: format, isTerminal: sink.isTerminal, noColour: noColour), write: sink.write, now: LogSink.now)
        LoggingSystem.bootstrap(
            { label, provider in GatewayLogHandler(label: label, levels: levels, output: output, metadataProvider: provider) },
            metadataProvider: metadataProvider)
        return levels
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
