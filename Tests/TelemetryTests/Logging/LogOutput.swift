import Foundation
import Logging
import NIOConcurrencyHelpers

@testable import Telemetry

/// Catches what a handler writes, at a fixed time.
final class LogOutput: Sendable {
    /// 2026-11-23T21:16:43.045Z
    static let time: Int64 = 1_795_468_603_045_000_000

    private let written = NIOLockedValueBox<[[UInt8]]>([])
    let levels = LogLevels(default: .info)

    var lines: [String] { written.withLockedValue { $0.map { String(decoding: $0, as: UTF8.self) } } }
    var last: String { lines.last ?? "" }

    func logger(_ format: LogFormat, label: String = "gateway.test", colours: Bool = false) -> Logger {
        let encoder = LoggingBootstrap.encoder(format: format, isTerminal: colours, noColour: false)
        let output = GatewayLogHandler.Output(
            encoder: encoder, write: { [written] line in written.withLockedValue { $0.append(line) } }, now: { Self.time })
        return Logger(label: label) { [levels] in GatewayLogHandler(label: $0, levels: levels, output: output) }
    }

    func lastObject() throws -> [String: Any] {
        try JSONSerialization.jsonObject(with: Data(last.utf8)) as? [String: Any] ?? [:]
    }
}
