import Logging
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import GatewayCore

@Suite("A line about what happens very often") struct SparseLineTests {
    private struct Lines: LogHandler {
        let all = NIOLockedValueBox<[(level: Logger.Level, metadata: Logger.Metadata)]>([])
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) { all.withLockedValue { $0.append((event.level, event.metadata ?? [:])) } }
    }

    @Test("is written once a period, and then with how often it was not")
    func sparse() {
        let lines = Lines()
        let logger = Logger(label: "test") { _ in lines }
        let line = SparseLine(logger, .warning, "away")
        let start = NIODeadline.now()
        for step in 0..<5 { line.write(["n": "\(step)"], now: start + .milliseconds(Int64(step))) }
        line.write(["n": "5"], now: start + SparseLine.period)
        line.write(["n": "6"], now: start + SparseLine.period + SparseLine.period)
        let written = lines.all.withLockedValue { $0 }
        #expect(written.map(\.level) == [.warning, .debug, .debug, .debug, .debug, .warning, .warning])
        #expect(written.map { $0.metadata["unsaid"] } == [nil, nil, nil, nil, nil, "4", nil])
        #expect(written.map { $0.metadata["n"] } == (0..<7).map { "\($0)" })
    }

    @Test("is written once more when nothing follows, with how often it was not")
    func flush() {
        let lines = Lines()
        let line = SparseLine(Logger(label: "test") { _ in lines }, .info, "away")
        let start = NIODeadline.now()
        line.flush(now: start)
        for step in 0..<3 { line.write(["n": "\(step)"], now: start + .milliseconds(Int64(step))) }
        line.flush(now: start + .seconds(1))
        line.flush(now: start + SparseLine.period)
        line.flush(now: start + SparseLine.period + SparseLine.period)
        let written = lines.all.withLockedValue { $0 }
        #expect(written.map(\.level) == [.info, .debug, .debug, .info])
        #expect(written.last?.metadata == ["unsaid": "2"])
    }
}
