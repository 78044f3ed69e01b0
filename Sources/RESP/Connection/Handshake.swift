import NIOCore

/// What is said on a new connection before commands: protocol, credentials, name, database, role. A state machine without I/O.
struct Handshake: Sendable {
    enum Action {
        case wait
        case send([RedisCommand])
        case ready
        case fail(ConnectFailure)
    }

    struct Settings: Sendable {
        var credentials: RedisCredentials?
        var clientName: String?
        var database = 0
        /// Whether a server that says that it is no master is refused.
        var requiresMaster = false
        /// Whether the connection is good only if `PING` is answered: a server that is still loading does not.
        var requiresPing = true
    }

    private enum Question: Sendable {
        case hello
        case auth
        case setName
        case select
        case role
        case ping
    }

    private let settings: Settings
    private var open: [Question] = []
    /// Whether the server speaks RESP3.
    private(set) var isRESP3 = true

    init(_ settings: Settings) { self.settings = settings }

    mutating func start() -> [RedisCommand] {
        open = [.hello]
        guard let credentials = settings.credentials else { return [RedisCommand("HELLO", 3)] }
        return [RedisCommand("HELLO", 3, "AUTH", .text(credentials.user ?? "default"), .text(credentials.password))]
    }

    /// The answer to the oldest open question.
    mutating func received(_ value: RESPValue) -> Action {
        if case .push = value { return .wait }
        guard !open.isEmpty else { return .fail(ConnectFailure(.notReady, "the server answers what was not asked")) }
        let question = open.removeFirst()
        if case .error(let error) = value, let action = failed(question, error) { return action }
        switch question {
        case .hello: return ask(withAuth: false)
        case .role:
            // A sentinel has the role "sentinel", and other servers that speak the protocol may have none.
            let role = value.elements?.first?.text ?? "unknown"
            guard role != "slave", role != "sentinel" else { return .fail(ConnectFailure(.notMaster, "the server's role is \"\(role)\"")) }
        case .auth, .setName, .select, .ping: break
        }
        return open.isEmpty ? .ready : .wait
    }

    private mutating func ask(withAuth: Bool) -> Action {
        var commands: [RedisCommand] = []
        if withAuth, let credentials = settings.credentials {
            open.append(.auth)
            // Servers before version 6 know no users, and the short form means the default user everywhere.
            if let user = credentials.user {
                commands.append(RedisCommand("AUTH", .text(user), .text(credentials.password)))
            } else {
                commands.append(RedisCommand("AUTH", .text(credentials.password)))
            }
        }
        if let name = settings.clientName {
            open.append(.setName)
            commands.append(RedisCommand("CLIENT", "SETNAME", .text(name)))
        }
        if settings.database != 0 {
            open.append(.select)
            commands.append(RedisCommand("SELECT", .integer(settings.database)))
        }
        if settings.requiresMaster {
            open.append(.role)
            commands.append(RedisCommand("ROLE"))
        }
        if settings.requiresPing {
            open.append(.ping)
            commands.append(RedisCommand("PING"))
        }
        return commands.isEmpty ? .ready : .send(commands)
    }

    /// What an error means for the handshake; nil if it goes on.
    private mutating func failed(_ question: Question, _ error: RESPServerError) -> Action? {
        // Errors of HELLO and AUTH may repeat the arguments, so their text is not passed on.
        switch (question, error.code) {
        case (.hello, "NOPROTO"), (.hello, "NOPERM"): return fallBack()
        case (.hello, "ERR") where error.message.hasPrefix("ERR unknown command"): return fallBack()
        case (.hello, "NOAUTH"), (.ping, "NOAUTH"), (.role, "NOAUTH"), (.select, "NOAUTH"):
            return .fail(ConnectFailure(.refused, "the server asks for a password (\(error.code)), and none is configured"))
        case (.hello, "WRONGPASS"), (.auth, "WRONGPASS"):
            return .fail(ConnectFailure(.refused, "the server refuses user and password (\(error.code))"))
        case (.auth, "NOPERM"): return .fail(ConnectFailure(.refused, "the server does not let this user log in (\(error.code))"))
        case (.hello, _), (.auth, _):
            if error.message.contains("without any password") {
                return .fail(
                    ConnectFailure(.refused, "the server refuses the credentials (\(error.code)): it has no password for this user"))
            }
            let text = settings.credentials == nil ? error.message : String(error.code)
            return .fail(ConnectFailure(.notReady, "the server does not take the login (\(text))"))
        case (.select, "NOPERM"), (.select, "ERR"): return .fail(ConnectFailure(.refused, "the server answered \(error.message)"))
        case (.setName, _): return nil
        // Whoever may not ask finds out from READONLY.
        case (.role, "NOPERM"), (.ping, "NOPERM"): return open.isEmpty ? .ready : .wait
        default: return .fail(ConnectFailure(.notReady, "the server answered \(error.message)"))
        }
    }

    private mutating func fallBack() -> Action {
        isRESP3 = false
        return ask(withAuth: true)
    }
}
