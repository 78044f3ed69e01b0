import Logging

/// The lines of the core that may come with every session, stream or request while a part is away.
final class CoreLines: Sendable {
    let standsIn: SparseLine
    let isElsewhere: SparseLine
    let sessionNotStored: SparseLine
    let streamNotLogged: SparseLine
    let eventsNotLogged: SparseLine
    let workedOnAgain: SparseLine
    let notWorkedOnAgain: SparseLine

    init(_ logger: Logger) {
        standsIn = SparseLine(logger, .warning, "session served without the store: only its id is known")
        isElsewhere = SparseLine(logger, .info, "session is at home elsewhere")
        sessionNotStored = SparseLine(logger, .error, "session not stored")
        streamNotLogged = SparseLine(logger, .warning, "stream not logged; it cannot be resumed")
        eventsNotLogged = SparseLine(logger, .warning, "events not logged; a client that reconnects misses them and is told so")
        workedOnAgain = SparseLine(logger, .info, "requests that may be worked on twice are worked on again")
        notWorkedOnAgain = SparseLine(
            logger, .warning, "requests are not worked on again: each process that worked on them has ended (streams.maxRepetitions)")
    }
}
