import MCPProtocol
import NIOCore
import NIOConcurrencyHelpers

/// The era that a server was found to be of; what all its conversations remember together (2026-07-28, basic/versioning, "Backward
/// Compatibility": the era is a property of the server).
final class KnownEra: Sendable {
    private let box = NIOLockedValueBox((assumed: Revision.Era?.none, found: Revision.Era?.none))

    /// What the next start may take for granted.
    var assumed: Revision.Era? { box.withLockedValue { $0.assumed } }

    /// What the last start that went well has found.
    var found: Revision.Era? { box.withLockedValue { $0.found } }

    func found(_ era: Revision.Era) { box.withLockedValue { $0 = (era, era) } }

    /// A start went wrong: it may be that the server is not what it was, and the next one finds out.
    func doubt() { box.withLockedValue { $0.assumed = nil } }
}

/// How a peer finds out what its server speaks: which request goes first, and what the answer means (2026-07-28, basic/transports/stdio and
/// streamable-http, "Backward Compatibility"). A value without I/O.
struct Handshake {
    /// What is asked.
    enum Step: Equatable {
        case discover(Revision)
        case initialize
    }

    enum Verdict {
        case send(Step)
        case ready(UpstreamInfo)
        case failed(String)
        /// Something else decides.
        case nothing
    }

    private let policy: EraPolicy
    /// Found out by an earlier start.
    private let known: Revision.Era?
    let first: Step
    private var calls: [UInt64: Step] = [:]
    private var current: Step
    /// The answer to a probe that was given up already.
    private var lateDiscovery: UpstreamInfo?

    /// - Parameter known: the era found out by an earlier start.
    init(policy: EraPolicy, known: Revision.Era?) {
        self.policy = policy
        self.known = policy == .auto ? known : nil
        first = policy == .legacy || self.known == .legacy ? .initialize : .discover(.latestModern)
        current = first
    }

    /// Whether the step is one that a legacy server need not answer, so that it must not be waited for too long.
    var isProbing: Bool {
        if case .discover = current { policy == .auto && known == nil } else { false }
    }

    /// Whether the server has not answered a `server/discover`.
    private var hasOpenProbe: Bool {
        calls.values.contains { if case .discover = $0 { true } else { false } }
    }

    mutating func sent(_ step: Step, as call: UInt64) {
        calls[call] = step
        current = step
    }

    /// Whether the call is the handshake's.
    func owns(_ call: UInt64) -> Bool { calls[call] != nil }

    /// What goes wrong now goes wrong with it.
    var name: String { current == .initialize ? Method.initialize.name : Method.serverDiscover.name }

    // MARK: What happens

    mutating func answered(_ call: UInt64, by response: Message) -> Verdict {
        guard let step = calls.removeValue(forKey: call) else { return .nothing }
        switch step {
        case .initialize: return initialized(response)
        case .discover(let revision): return discovered(response, asked: revision)
        }
    }

    /// There will be no answer, or it cannot be read.
    mutating func failed(_ call: UInt64, reason: String) -> Verdict {
        guard let step = calls.removeValue(forKey: call), step == current else { return .nothing }
        if case .discover = step { return fallBack(reason) }
        return lateDiscovery.map { .ready($0) } ?? .failed(reason)
    }

    /// The server said that something was wrong with a request, not with which.
    mutating func failedWithoutID(reason: String) -> Verdict {
        guard let call = calls.first(where: { $0.value == current })?.key else { return .nothing }
        return failed(call, reason: reason)
    }

    /// The server has had its time to answer the probe. It is not forgotten: what answers slowly may be a modern server all the same.
    mutating func probeTimedOut() -> Verdict { isProbing ? .send(.initialize) : .nothing }

    /// The server has ended. True when the probe may have been the reason, so that it is to be started again without one.
    var wasEndedByProbe: Bool { policy == .auto && hasOpenProbe }

    // MARK: What it means

    private mutating func initialized(_ response: Message) -> Verdict {
        guard response.kind == .response, let result = response.json.slice(response.result), let json = try? JSONText(validating: result)
        else {
            if let lateDiscovery { return .ready(lateDiscovery) }
            return .failed("it refused initialize: \(response.errorText)")
        }
        guard json.isObject(json.root) else { return .failed("it answered initialize with a result that is no object") }
        let version = json.string(json.member("protocolVersion", of: json.root)) ?? ""
        guard let revision = Revision(legacy: version) else {
            let names = Revision.legacy.map(\.rawValue).joined(separator: ", ")
            return .failed("it speaks protocol version \"\(version)\"; the gateway knows \(names)")
        }
        return .ready(UpstreamInfo(revision: revision, initializeResult: json))
    }

    private mutating func discovered(_ response: Message, asked: Revision) -> Verdict {
        guard response.kind == .response else { return refused(response, asked: asked) }
        guard let result = response.json.slice(response.result), let json = try? JSONText(validating: result),
            let versions = Self.versions(json.member("supportedVersions", of: json.root), in: json)
        else { return fallBack("it answered server/discover with a result that is no DiscoverResult") }
        let isLate = current == .initialize
        guard let revision = Self.newestModern(of: versions) else {
            return isLate ? .nothing : agree(on: versions, asked: asked)
        }
        let info = UpstreamInfo(revision: revision, initializeResult: json)
        guard isLate else { return .ready(info) }
        lateDiscovery = info
        return .nothing
    }

    private mutating func refused(_ response: Message, asked: Revision) -> Verdict {
        guard current != .initialize else { return .nothing }
        let json = response.json
        let code = json.integer(json.member("code", of: response.error)).map(RPCError.Code.init(rawValue:))
        switch code {
        case .unsupportedProtocolVersion:
            let data = json.member("data", of: response.error)
            return agree(on: Self.versions(json.member("supported", of: data), in: json) ?? [], asked: asked)
        case .headerMismatch, .missingRequiredClientCapability:
            return .failed("it refused server/discover: \(response.errorText)")
        default:
            return fallBack("it refused server/discover: \(response.errorText)")
        }
    }

    /// The server has named its versions, and the one that was asked for is not among them.
    private func agree(on versions: [String], asked: Revision) -> Verdict {
        if let revision = Self.newestModern(of: versions), revision != asked { return .send(.discover(revision)) }
        if policy == .auto, versions.contains(where: { Revision(legacy: $0) != nil }) { return .send(.initialize) }
        let names = Revision.allCases.map(\.rawValue).joined(separator: ", ")
        return .failed("it speaks protocol versions \(versions.joined(separator: ", ")); the gateway knows \(names)")
    }

    private func fallBack(_ reason: String) -> Verdict {
        guard current != .initialize else { return .nothing }
        return policy == .auto ? .send(.initialize) : .failed(reason)
    }

    private static func newestModern(of versions: [String]) -> Revision? {
        versions.compactMap(Revision.init(rawValue:)).filter { $0.era == .modern }.max()
    }

    private static func versions(_ span: JSONSpan, in json: JSONText) -> [String]? {
        guard json.firstByte(span) == UInt8(ascii: "[") else { return nil }
        return json.elements(of: span).compactMap { json.string($0) }
    }
}

extension Message {
    /// `message` of an error response.
    var errorText: String { json.string(json.member("message", of: error)) ?? "no reason given" }
}
