import NIOCore

/// The commands without an answer, and what becomes of them: a state machine without I/O.
///
/// What was written to a connection may have been executed and is never written again, unless the server's answer says that it was not.
struct CommandQueue: Sendable {
    enum Answer {
        /// Nobody waits for it.
        case none
        case complete(PendingCommand, Result<RESPValue, RedisError>)
        /// This server is not the right one; the command waits for the next connection.
        case changeServer(RESPServerError)
        /// The command is sent again on this connection: later, or as soon as what was sent is answered.
        case again(later: Bool)
        /// Nothing was asked.
        case unexpected
    }

    /// How often a command is sent because the server does not know its script.
    static let maxScriptSends = 4

    /// Not written, the oldest first.
    private var waiting = CircularBuffer<PendingCommand>()
    /// Written, not answered.
    private var sent = CircularBuffer<PendingCommand>()
    /// Refused by a server that is being left, or that does not know their scripts. They go before those that wait.
    private var refused: [PendingCommand] = []
    /// Whether nothing is sent until everything that was sent is answered, so that commands that need their scripts again stay in their order.
    private var isHeld = false
    /// Refused by a server that will take them later.
    private var delayed: [PendingCommand] = []
    /// The scripts that were loaded on this connection.
    private var loaded: Set<String> = []
    /// Why this connection's server does not take a script (rights, an error in it).
    private var refusals: [String: RESPServerError] = [:]
    /// No deadline is earlier.
    private(set) var earliestDeadline = NIODeadline.distantFuture

    var isEmpty: Bool { waiting.isEmpty && sent.isEmpty && refused.isEmpty && delayed.isEmpty }
    var hasSent: Bool { !sent.isEmpty }
    var hasWaiting: Bool { !waiting.isEmpty }

    mutating func append(_ command: PendingCommand) {
        earliestDeadline = min(earliestDeadline, command.deadline)
        waiting.append(command)
    }

    /// Puts a command of the client's own before those that wait.
    mutating func prepend(_ bytes: ByteBuffer) {
        waiting.prepend(PendingCommand(bytes: bytes, deadline: .distantFuture, reply: nil))
    }

    /// The bytes to write next. Scripts are loaded before they run first on a connection: a server that was promoted does not know those of its
    /// predecessor, and a command that is refused is overtaken by the next.
    mutating func nextToSend() -> ByteBuffer? {
        guard !isHeld, var command = waiting.popFirst() else { return nil }
        if let script = command.script, loaded.insert(script.digest).inserted {
            waiting.prepend(command)
            command = PendingCommand(
                bytes: RedisCommand("SCRIPT", "LOAD", .text(script.source)).bytes, deadline: .distantFuture, reply: nil,
                loads: script.digest)
        }
        command.sends += 1
        sent.append(command)
        return command.bytes
    }

    /// An answer came: it belongs to the oldest command that was sent.
    mutating func answered(_ value: RESPValue) -> Answer {
        guard var command = sent.popFirst() else { return .unexpected }
        defer { if sent.isEmpty { endHold() } }
        if let digest = command.loads { loadEnded(digest, value) }
        guard command.reply != nil else { return .none }
        guard case .error(let error) = value else { return .complete(command, .success(value)) }
        command.lastError = error
        switch error.remedy {
        case .otherServer:
            refused.append(command)
            return .changeServer(error)
        case .later:
            delayed.append(command)
            return .again(later: true)
        case .loadScript:
            guard let script = command.script, command.sends < Self.maxScriptSends else {
                return .complete(command, .failure(.server(error)))
            }
            if let refusal = refusals[script.digest] { return .complete(command, .failure(.server(refusal))) }
            loaded.remove(script.digest)
            refused.append(command)
            isHeld = true
            return .again(later: false)
        case .none: return .complete(command, .failure(.server(error)))
        }
    }

    /// A script that is not there is loaded again by the next command that runs it: the server's reason may be gone then.
    private mutating func loadEnded(_ digest: String, _ value: RESPValue) {
        refusals[digest] = nil
        guard case .error(let error) = value else { return }
        loaded.remove(digest)
        if error.remedy == .none { refusals[digest] = error }
    }

    private mutating func endHold() {
        guard isHeld else { return }
        isHeld = false
        for command in refused.reversed() { waiting.prepend(command) }
        refused = []
    }

    /// Lets the delayed commands be sent again.
    mutating func releaseDelayed() {
        for command in delayed { waiting.append(command) }
        delayed = []
    }

    /// The connection is gone: those that may have been executed, which nobody may repeat. The others wait for the next, in their order.
    mutating func connectionLost() -> [PendingCommand] {
        let lost = sent.filter { $0.reply != nil }
        sent.removeAll(keepingCapacity: true)
        for command in delayed.reversed() { waiting.prepend(command) }
        for command in refused.reversed() { waiting.prepend(command) }
        // The client's own commands belonged to that connection.
        waiting = CircularBuffer(waiting.filter { $0.reply != nil })
        refused = []
        delayed = []
        loaded = []
        refusals = [:]
        isHeld = false
        return Array(lost)
    }

    /// Takes the commands whose deadline has passed, with the reason.
    mutating func expire(now: NIODeadline) -> [(PendingCommand, RedisError)] {
        var expired: [(PendingCommand, RedisError)] = []
        var earliest = NIODeadline.distantFuture
        for index in sent.indices where sent[index].reply != nil {
            guard sent[index].deadline <= now else {
                earliest = min(earliest, sent[index].deadline)
                continue
            }
            expired.append((sent[index], .timeout(wasSent: true)))
            // Its answer will still come, and must not be taken for another's.
            sent[index].reply = nil
        }
        func isLate(_ command: PendingCommand) -> Bool {
            guard command.deadline <= now else {
                earliest = min(earliest, command.deadline)
                return false
            }
            expired.append((command, command.lastError.map { .server($0) } ?? .timeout(wasSent: false)))
            return true
        }
        refused.removeAll(where: isLate)
        delayed.removeAll(where: isLate)
        waiting.removeAll(where: isLate)
        earliestDeadline = earliest
        return expired
    }

    /// Takes every command that was not sent.
    mutating func takeUnsent() -> [PendingCommand] {
        let unsent = refused + delayed + waiting.filter { $0.reply != nil }
        refused = []
        delayed = []
        waiting = []
        return unsent
    }
}
