import Logging
import Testing

@testable import Telemetry

@Suite("Log levels")
struct LogLevelsTests {
    @Test("the longest prefix wins and covers whole components only")
    func prefixes() {
        let levels = LogLevels(default: .info)
        levels.set(.debug, forPrefix: "gateway")
        levels.set(.error, forPrefix: "gateway.upstream")
        #expect(levels.level(for: "gateway") == .debug)
        #expect(levels.level(for: "gateway.upstream") == .error)
        #expect(levels.level(for: "gateway.upstream.git") == .error)
        #expect(levels.level(for: "gateway.upstreams") == .debug)
        #expect(levels.level(for: "other") == .info)
        levels.set(nil, forPrefix: "gateway.upstream")
        #expect(levels.level(for: "gateway.upstream.git") == .debug)
    }

    @Test("a change reaches loggers that exist already, and not those that have a level of their own")
    func runTime() {
        let output = LogOutput()
        let logger = output.logger(.json)
        var own = output.logger(.json)
        own.logLevel = .error
        logger.debug("hidden")
        #expect(output.lines.isEmpty)
        output.levels.set(.trace, forPrefix: "gateway")
        logger.debug("shown")
        own.debug("hidden")
        #expect(output.lines.count == 1)
        output.levels.set(nil, forPrefix: "gateway")
        output.levels.defaultLevel = .critical
        logger.error("hidden")
        #expect(output.lines.count == 1)
        #expect(logger.logLevel == .critical)
    }

    @Test("applying levels replaces all that were set before, in loggers that exist already too")
    func apply() {
        let output = LogOutput()
        let logger = output.logger(.json, label: "gateway.http")
        output.levels.set(.error, forPrefix: "gateway")
        output.levels.apply(
            default: .warning, rules: [("gateway.http", .critical), ("gateway.http", .debug), ("gateway.store", .trace)])
        #expect(output.levels.level(for: "gateway") == .warning)
        #expect(output.levels.level(for: "gateway.store.writer") == .trace)
        #expect(logger.logLevel == .debug)
        output.levels.apply(default: .notice, rules: [])
        #expect(logger.logLevel == .notice)
        #expect(output.levels.defaultLevel == .notice)
    }

    @Test("the program's levels can be set before the first logger is made")
    func shared() {
        LoggingBootstrap.levels.set(.trace, forPrefix: "telemetry.tests")
        #expect(LoggingBootstrap.levels.level(for: "telemetry.tests.shared") == .trace)
        LoggingBootstrap.levels.set(nil, forPrefix: "telemetry.tests")
    }
}
