import Foundation
import Testing

@testable import GatewayConfiguration

@Suite struct WatchingTests {
    @Test("a new state counts when two looks in a row agree")
    func settles() {
        let a = FileObservation.Look.contents(path: "/f", text: "a")
        let b = FileObservation.Look.contents(path: "/f", text: "b")
        let c = FileObservation.Look.contents(path: "/f", text: "c")
        var observation = FileObservation(a)
        #expect(observation.observe(a) == .doNothing)
        #expect(observation.observe(b) == .doNothing)
        #expect(observation.observe(c) == .doNothing)
        #expect(observation.observe(c) == .reload)
        #expect(observation.observe(c) == .doNothing)
    }

    @Test("a file that is gone for a moment while an editor renames is no event")
    func momentarilyGone() {
        let a = FileObservation.Look.contents(path: "/f", text: "a")
        var observation = FileObservation(a)
        #expect(observation.observe(.missing) == .doNothing)
        #expect(observation.observe(a) == .doNothing)
        #expect(observation.observe(.missing) == .doNothing)
        #expect(observation.observe(.missing) == .reload)
        #expect(observation.observe(.missing) == .doNothing)
        #expect(observation.observe(a) == .doNothing)
        #expect(observation.observe(a) == .reload)
    }

    @Test("edits are delivered as changes, broken ones as refusals, whatever way the file is replaced", .timeLimit(.minutes(1)))
    func watch() async throws {
        let directory = try TemporaryDirectory()
        // As Kubernetes mounts a config map: the file is a link into a directory that is a link.
        let manager = FileManager.default
        for (version, port) in [("v1", 1), ("v2", 2)] {
            try manager.createDirectory(atPath: directory.path + "/" + version, withIntermediateDirectories: true)
            try directory.write(#"{"gateway": {"port": \#(port)}}"#, to: version + "/mcp-gateway.json")
        }
        try manager.createSymbolicLink(atPath: directory.path + "/data", withDestinationPath: "v1")
        try manager.createSymbolicLink(atPath: directory.path + "/mcp-gateway.json", withDestinationPath: "data/mcp-gateway.json")

        let loader = ConfigurationLoader(environment: [:], currentDirectory: directory.path)
        let first = try loader.load()
        #expect(first.gateway.port == 1)
        var events = ConfigurationWatcher(loader, source: first.source, interval: .milliseconds(5)).makeAsyncIterator()

        try manager.createSymbolicLink(atPath: directory.path + "/data.new", withDestinationPath: "v2")
        #expect(rename(directory.path + "/data.new", directory.path + "/data") == 0)
        #expect(await events.next()?.port == 2)

        // Replaced by renaming.
        try directory.write(#"{"gateway": {"prot": 3}}"#, to: "v2/mcp-gateway.json")
        guard case .refused(let error)? = await events.next() else {
            Issue.record("a broken edit must be refused")
            return
        }
        #expect(error.problems.count == 1)

        // Written in place.
        try Data(#"{"gateway": {"port": 4}}"#.utf8).write(to: URL(fileURLWithPath: directory.path + "/v2/mcp-gateway.json"))
        #expect(await events.next()?.port == 4)

        try manager.removeItem(atPath: directory.path + "/mcp-gateway.json")
        guard case .refused(let missing)? = await events.next() else {
            Issue.record("a removed file must be refused")
            return
        }
        #expect(missing.description.contains("there is no such file"))

        try directory.write(#"{"gateway": {"port": 5}}"#, to: "mcp-gateway.json")
        #expect(await events.next()?.port == 5)
    }

    @Test("a file that appears where there was none is read", .timeLimit(.minutes(1)))
    func appears() async throws {
        let directory = try TemporaryDirectory()
        let loader = ConfigurationLoader(environment: [:], currentDirectory: directory.path)
        var events = ConfigurationWatcher(loader, source: nil, interval: .milliseconds(5)).makeAsyncIterator()
        try directory.write("gateway: {port: 7}", to: "mcp-gateway.yaml")
        #expect(await events.next()?.port == 7)
    }

    @Test("cancellation ends the watch", .timeLimit(.minutes(1)))
    func cancellation() async throws {
        let directory = try TemporaryDirectory()
        let watcher = ConfigurationWatcher(
            ConfigurationLoader(environment: [:], currentDirectory: directory.path), source: nil, interval: .seconds(3600))
        let task = Task {
            var count = 0
            for await _ in watcher { count += 1 }
            return count
        }
        task.cancel()
        #expect(await task.value == 0)
    }
}

extension ConfigurationEvent {
    fileprivate var port: Int? {
        if case .changed(let configuration) = self { configuration.gateway.port } else { nil }
    }
}
