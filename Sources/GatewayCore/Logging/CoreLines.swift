import Logging

/// The lines about sessions, streams and requests that may come with every one of them while a part is away.
public final class CoreLines: Sendable {
    let standsIn: SparseLine
    let isElsewhere: SparseLine
    let sessionNotStored: SparseLine
    let streamNotLogged: SparseLine
    let eventsNotLogged: SparseLine
    let workedOnAgain: SparseLine
    let notWorkedOnAgain: SparseLine
    public let notServed: SparseLine

    init(_ logger: Logger) {
        standsIn = SparseLine(logger, .warning, "session served without the store: only its id is known")
        isElsewhere = SparseLine(logger, .info, "session is at home elsewhere")
        sessionNotStored = SparseLine(logger, .error, "session not stored")
        streamNotLogged = SparseLine(logger, .warning, "stream not logged; it cannot be resumed")
        eventsNotLogged = SparseLine(logger, .warning, "events not logged; a client that reconnects misses them and is told so")
        workedOnAgain = SparseLine(logger, .info, "requests that may be worked on twice are worked on again")
        notWorkedOnAgain = SparseLine(
            logger, .warning, "requests are not worked on again: each process that worked on them has ended (streams.maxRepetitions)")
        notServed = SparseLine(logger, .info, "an instance did not serve a request that was passed on to it")
    }

    /// Says how many were not written, where nothing more happened since.
    func flush() {
        for line in [
            standsIn, isElsewhere, sessionNotStored, streamNotLogged, eventsNotLogged, workedOnAgain, notWorkedOnAgain, notServed,
        ] {
            line.flush()
        }
    }
}
