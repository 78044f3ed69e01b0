import GatewayCore
import Logging
import Testing

@testable import GatewayConfiguration

@Suite struct ConfigurationDiffTests {
    private func server(_ name: String, command: String = "x", disabled: Bool = false) -> ServerConfiguration {
        ServerConfiguration(name: name, transport: .stdio(.init(command: command)), disabled: disabled)
    }

    @Test("equal configurations need nothing, and order alone is no change")
    func nothing() {
        let old = GatewayConfiguration(servers: [server("a"), server("b")])
        #expect(ConfigurationDiff(from: old, to: old).isEmpty)
        #expect(ConfigurationDiff(from: old, to: GatewayConfiguration(servers: [server("b"), server("a")])).isEmpty)
        #expect(ConfigurationDiff(from: old, to: old).restartWarning == nil)
    }

    @Test("added, removed and changed servers are told apart")
    func servers() {
        let diff = ConfigurationDiff(
            from: GatewayConfiguration(servers: [server("a"), server("b"), server("c")]),
            to: GatewayConfiguration(servers: [server("d"), server("b", command: "y"), server("a")]))
        #expect(diff.added.map(\.name) == ["d"])
        #expect(diff.removed.map(\.name) == ["c"])
        #expect(diff.changed.map(\.new) == [server("b", command: "y")])
        #expect(diff.changed.map(\.old) == [server("b")])
        #expect(diff.changed.map(\.needsRestart) == [true])
    }

    @Test("disabling a server removes it, enabling adds it")
    func disabled() {
        let on = GatewayConfiguration(servers: [server("a")])
        let off = GatewayConfiguration(servers: [server("a", disabled: true)])
        #expect(ConfigurationDiff(from: on, to: off).removed.map(\.name) == ["a"])
        #expect(ConfigurationDiff(from: off, to: on).added.map(\.name) == ["a"])
        #expect(ConfigurationDiff(from: off, to: off).isEmpty)
    }

    @Test("a new filter or time limit does not replace the process")
    func filter() {
        var changed = server("a")
        changed.tools.deny = ["x"]
        changed.timeout = .seconds(1)
        let diff = ConfigurationDiff(from: GatewayConfiguration(servers: [server("a")]), to: GatewayConfiguration(servers: [changed]))
        #expect(diff.changed.map(\.needsRestart) == [false])
    }

    @Test("gateway settings that changed are named in a warning")
    func restart() {
        var new = GatewayConfiguration()
        new.gateway.port = 4000
        new.gateway.streams.keepAlive = .seconds(1)
        let diff = ConfigurationDiff(from: GatewayConfiguration(), to: new)
        #expect(diff.needRestart == ["gateway.port", "gateway.streams.keepAlive"])
        #expect(diff.restartWarning?.contains("gateway.port, gateway.streams.keepAlive") == true)
    }

    @Test("log levels change without a restart, the format of the log does not")
    func logLevels() {
        let old = GatewayConfiguration()
        #expect(!ConfigurationDiff(from: old, to: old).logLevelsChanged)
        var level = old
        level.gateway.log.level = .debug
        var levels = old
        levels.gateway.log.levels = ["gateway.http=debug"]
        for new in [level, levels] {
            let diff = ConfigurationDiff(from: old, to: new)
            #expect(diff.logLevelsChanged)
            #expect(diff.needRestart.isEmpty)
            #expect(diff.restartWarning == nil)
            #expect(!diff.isEmpty)
        }
        var format = old
        format.gateway.log.format = .json
        #expect(ConfigurationDiff(from: old, to: format).needRestart == ["gateway.log.format"])
        #expect(!ConfigurationDiff(from: old, to: format).logLevelsChanged)
    }
}
