/// Why a command has no answer.
public enum RedisError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The deadline passed; `wasSent`: the server may have executed the command.
    case timeout(wasSent: Bool)
    /// The connection broke. `wasSent: true`: the server may have executed the command, which is therefore not repeated. Commands that were
    /// certainly not executed are repeated instead, so that `false` is seen only where nothing can be repeated.
    case connectionLost(wasSent: Bool)
    /// The server answered with an error. Those that say that the command was not executed and may be repeated (`READONLY`, `LOADING`, …) come
    /// only when the deadline left no time for it.
    case server(RESPServerError)
    /// The server did not let the client in when it was to be connected for the first time: wrong user, password or database. The command was
    /// not executed. Once it was connected the client goes on trying, because what was right may become so again.
    case refused(String)
    /// The client was shut down; the command was not executed.
    case shutdown
    /// The named bound of the configuration was reached; the command was not executed.
    case queueFull(limit: String)
    /// The server answered something else than the command's caller understands.
    case unexpectedReply(String)

    /// Whether the server may have executed the command although there is no answer.
    public var mayHaveBeenExecuted: Bool {
        switch self {
        case .timeout(let wasSent), .connectionLost(let wasSent): wasSent
        case .server, .refused, .shutdown, .queueFull: false
        case .unexpectedReply: true
        }
    }

    /// Whether the reason is that the server cannot be reached or does not serve, rather than the command.
    public var isOutage: Bool {
        switch self {
        case .timeout, .connectionLost, .refused, .shutdown, .queueFull: true
        case .server(let error): error.remedy == .otherServer || error.remedy == .later
        case .unexpectedReply: false
        }
    }

    public var description: String {
        switch self {
        case .timeout(let wasSent): "Redis did not answer in time (the command \(wasSent ? "may have been executed" : "was not sent"))"
        case .connectionLost(let wasSent):
            "the connection to Redis was lost (the command \(wasSent ? "may have been executed" : "was not sent"))"
        case .server(let error): "Redis answered: \(error.message)"
        case .refused(let reason): "Redis does not let this client in: \(reason)"
        case .shutdown: "the Redis client was shut down"
        case .queueFull(let limit): "too many commands wait for Redis (\(limit))"
        case .unexpectedReply(let what): "Redis answered what was not expected: \(what)"
        }
    }
}
