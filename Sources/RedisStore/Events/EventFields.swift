import GatewayCore
import NIOCore
import RESP

/// Streams and events as scripts report them.
enum EventFields {
    /// Kind, request ids, created, `1` if it has ended, newest sequence, requests that may be worked on twice, how often they were again.
    static func record(_ parts: ArraySlice<RESPValue>, key: StreamKey) -> StreamRecord? {
        let parts = Array(parts)
        guard parts.count >= 7, let kind = parts[0].text.flatMap({ StreamRecord.Kind(rawValue: $0) }), let created = parts[2].int,
            let last = parts[4].text.flatMap({ UInt64($0) })
        else { return nil }
        let requests = SessionFields.copy(parts[1])
        let repeatable = SessionFields.copy(parts[5])
        return StreamRecord(
            session: key.session, stream: key.stream, kind: kind, requestIDs: requests.readableBytes == 0 ? nil : requests,
            repeatableRequests: repeatable.readableBytes == 0 ? nil : repeatable, repetitions: parts[6].text.flatMap { Int($0) } ?? 0,
            createdAt: WallTime(milliseconds: created), hasEnded: parts[3].text == "1", lastSequence: last)
    }

    /// Entries of a Redis Stream whose ids are `<sequence>-<milliseconds>`, with the message as the only field.
    static func events(_ reply: RESPValue) -> [StreamEvent] {
        (reply.elements ?? []).compactMap { entry in
            guard let parts = entry.elements, parts.count == 2,
                let sequence = parts[0].text?.split(separator: "-").first.flatMap({ UInt64($0) }),
                let fields = parts[1].elements, fields.count >= 2, let message = fields[1].bytes
            else { return nil }
            return StreamEvent(sequence: sequence, message: message)
        }
    }
}
