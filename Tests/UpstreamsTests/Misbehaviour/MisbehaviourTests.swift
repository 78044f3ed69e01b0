import EmbeddedStore
import Foundation
import Logging
import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Testing

@testable import GatewayCore
@testable import Upstreams

/// A gateway with a child that misbehaves and one that does not.
private final class Bench: Sendable {
    let gateway: Gateway
    let store: EmbeddedStore
    let session: Session
    let log = NIOLockedValueBox<[String]>([])
    private static let python = FileManager.default.isExecutableFile(atPath: "/usr/bin/python3") ? "/usr/bin/python3" : "python3"
    private let nextID = NIOLockedValueBox(1)

    init(_ row: Misbehaviour) async throws {
        let log = log
        let logger = Logger(label: "test") { _ in LineLogHandler(lines: log) }
        let loops = MultiThreadedEventLoopGroup.singleton
        store = try EmbeddedStore.inMemory(logger: logger)
        gateway = Gateway(
            settings: CoreSettings(), sessions: store, events: store, authority: SessionIDAuthority(key: try store.signingKey()),
            clock: .system, builtins: [], eventLoopGroup: loops, logger: logger)
        func definition(_ name: String, _ script: String) -> UpstreamDefinition {
            let command = ChildCommand(command: Self.python, arguments: ["-S", "-E", "-c", Misbehaviour.prelude + script + "\nmain()\n"])
            var definition = UpstreamDefinition(
                name: name, isolation: .shared,
                factory: StdioLinkFactory(name: name, command: command, limits: row.limits, logger: logger), fingerprint: name)
            definition.backoff = RestartBackoff.Policy(initialDelay: .milliseconds(1), maximumDelay: .milliseconds(20))
            return definition
        }
        var bad = definition("bad", row.script)
        bad.callTimeout = row.callTimeout
        bad.handshakeTimeout = row.handshakeTimeout
        gateway.setUpstreams([bad, definition("good", "")])
        let initialize = try Message.parse(
            ByteBuffer(
                string:
                    #"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#
            ))
        let created = loops.next().makePromise(of: Session.self)
        gateway.create(
            SessionRecord(
                id: gateway.authority.make(), clientID: "c", revision: .v2025_11_25, server: nil,
                initializeParams: initialize.json.slice(initialize.params) ?? ByteBuffer(), createdAt: gateway.clock.now(),
                lastSeen: gateway.clock.now())
        ) { created.completeWith($0.mapError { $0 }) }
        session = try await created.futureResult.get()
        session.state.withLockedValue { $0.logLevel = .debug }
    }

    func call(_ server: String, argumentBytes: Int = 1) throws -> CallSink {
        let id = nextID.withLockedValue { id in
            defer { id += 1 }
            return id
        }
        let sink = CallSink(session: session)
        let text = String(repeating: "x", count: argumentBytes)
        let message = ByteBuffer(
            string:
                "{\"jsonrpc\":\"2.0\",\"id\":\(id),\"method\":\"tools/call\",\"params\":{\"name\":\"\(server)__t\",\"arguments\":{\"text\":\"\(text)\"},\"_meta\":{\"progressToken\":\(id)}}}"
        )
        gateway.handle(try Message.parse(message), in: session, sink: sink)
        return sink
    }

    func cancel(id: Int) throws {
        gateway.accept(
            try Message.parse(
                ByteBuffer(string: "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":\(id)}}")),
            in: session)
    }

    var figures: [UpstreamFigures] { gateway.upstreamFigures }

    /// Stops everything; whether that left nothing behind.
    func stop() async throws {
        await gateway.shutdown()
        try await eventually("no process is left") { self.figures.allSatisfy { $0.processes == 0 } }
        try await eventually("no byte is counted any more") { self.figures.allSatisfy { $0.queuedBytes == 0 } }
        #expect(figures.map(\.inFlight) == [0, 0])
        store.close()
    }
}

/// Does what an HTTP answer does: notifications go through a stream and its log.
private final class CallSink: ExchangeSink {
    private struct State {
        var stream: EventStream?
        var notifications = 0
        var final: ByteBuffer?
    }

    private let session: Session
    private let state = NIOLockedValueBox(State())

    init(session: Session) { self.session = session }

    func emit(_ event: ExchangeEvent, of exchange: Exchange) {
        let stream = state.withLockedValue { state -> EventStream? in
            if event.isFinal { state.final = event.message } else { state.notifications += 1 }
            if state.stream == nil, !event.isFinal { state.stream = session.openExchangeStream(answering: [exchange.request]) { _ in } }
            return state.stream
        }
        guard let stream else { return }
        stream.append(event.message, ends: event.isFinal)
        if event.isFinal { session.exchangeStreamEnded(stream) }
    }

    var notifications: Int { state.withLockedValue { $0.notifications } }
    var final: Message? { state.withLockedValue { $0.final }.flatMap { try? Message.parse($0) } }

    func finish(within seconds: Double = 90) async throws -> Message {
        try await eventually("the call is over", within: seconds) { self.final }
    }
}

/// Lets a few through at a time: a machine that starts all children at once starts none of them in time.
private final class Turnstile: Sendable {
    static let shared = Turnstile()
    private let state = NIOLockedValueBox((free: 6, waiting: [CheckedContinuation<Void, Never>]()))

    func enter() async {
        await withCheckedContinuation { next in
            let isFree = state.withLockedValue { state in
                if state.free > 0 {
                    state.free -= 1
                    return true
                }
                state.waiting.append(next)
                return false
            }
            if isFree { next.resume() }
        }
    }

    func leave() {
        let next = state.withLockedValue { state -> CheckedContinuation<Void, Never>? in
            guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
            state.free += 1
            return nil
        }
        next?.resume()
    }
}

private struct LineLogHandler: LogHandler {
    let lines: NIOLockedValueBox<[String]>
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { lines.withLockedValue { $0.append("\(event.message) \(event.metadata ?? [:])") } }
}

@Suite("Children that misbehave")
struct MisbehaviourTests {
    @Test("get what they deserve, and their neighbours notice nothing", arguments: Misbehaviour.all)
    func misbehaves(row: Misbehaviour) async throws {
        await Turnstile.shared.enter()
        defer { Turnstile.shared.leave() }
        let bench = try await Bench(row)
        let result: Result<Void, any Error>
        do { result = .success(try await play(row, on: bench)) } catch { result = .failure(error) }
        // In any case: children must not outlive their gateway.
        try await bench.stop()
        try result.get()
    }

    private func play(_ row: Misbehaviour, on bench: Bench) async throws {
        let hits = row.limit.map(LimitHits.total)
        let sink = try bench.call("bad", argumentBytes: row.argumentBytes)
        if row.isCancelled {
            try await eventually("the child has the call") { sink.notifications > 0 }
            try bench.cancel(id: 1)
        }
        // Meanwhile and afterwards.
        try check(try await bench.call("good").finish(within: 30), .result("ok"), "the neighbour, meanwhile")
        try check(try await sink.finish(), row.outcome, "the call")
        try check(try await bench.call("good").finish(within: 30), .result("ok"), "the neighbour, afterwards")
        if let notifications = row.notifications { #expect(sink.notifications == notifications) }
        if let next = row.next { try check(try await bench.call("bad").finish(), next, "the next call") }
        if let text = row.log {
            // A thousand pages take their time on a machine that has none.
            try await eventually("a log line with \"\(text)\"", within: 90) {
                bench.log.withLockedValue { $0.contains { $0.contains(text) } }
            }
        }
        if let limit = row.limit, let hits { #expect(LimitHits.total(limit) > hits) }
        // Whatever it wrote: it fills neither the log nor the store's queue.
        #expect(bench.log.withLockedValue { $0.count } < 100)
        #expect(bench.store.statistics.rejectedOperations == 0)
        #expect(bench.store.statistics.unloggedEvents == 0)
    }

    private func check(_ answer: Message, _ outcome: Misbehaviour.Outcome, _ what: Comment) throws {
        let text = String(buffer: answer.bytes)
        switch outcome {
        case .result(let part): #expect(answer.kind == .response && text.contains(part), "\(what): \(text.prefix(300))")
        case .error(let part): #expect(answer.kind == .errorResponse && text.contains(part), "\(what): \(text.prefix(500))")
        }
    }

    @Test("are many")
    func rows() {
        #expect(Misbehaviour.all.count >= 60)
        #expect(Set(Misbehaviour.all.map(\.name)).count == Misbehaviour.all.count)
    }
}
