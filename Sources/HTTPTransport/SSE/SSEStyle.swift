import Foundation
import GatewayCore
import MCPProtocol
import NIOCore
import ServerSentEvents

/// What differs between the streams of MCP and the feed of the REST API.
enum SSEStyle {
    /// - isResumed: the client has an id to resume from already.
    case mcp(Revision, isResumed: Bool)
    /// `/sse/events`
    case feed(SessionID)

    /// The first bytes: something for proxies to pass on at once, and an id to resume from; nil where the log does not have the stream.
    func writeBeginning(id: SSEEventID?, retry: TimeAmount, to buffer: inout ByteBuffer) {
        switch self {
        case .mcp(let revision, let isResumed):
            if let id, revision.hasPrimingEvents, !isResumed {
                SSEEncoder.writePriming(id: id, retry: retry, to: &buffer)
            } else {
                SSEEncoder.writeRetry(retry, to: &buffer)
            }
        case .feed(let session):
            SSEEncoder.writeRetry(retry, to: &buffer)
            let data = ByteBuffer(string: "{\"sessionId\":\"\(session)\",\"timestamp\":\(Self.timestamp)}")
            SSEEncoder.write(data, id: id, event: "connected", to: &buffer)
        }
    }

    /// The event's type. In a feed it tells what kind of notification the event is.
    func type(of message: ByteBuffer) -> StaticString {
        guard case .feed = self, let message = try? Message.parse(message) else { return "message" }
        return switch message.methodName {
        case .progress: "progress"
        case .loggingMessage: "log"
        case .toolsListChanged, .promptsListChanged, .resourcesListChanged: "list_changed"
        case .resourcesUpdated: "resource_updated"
        default: "message"
        }
    }

    /// What is sent when nothing was for long; nil while there is no need.
    func keepAlive(lastWrite: NIODeadline, now: NIODeadline, settings: HTTPTransportSettings) -> ByteBuffer? {
        switch self {
        case .mcp: return now - lastWrite >= settings.keepAlive ? SSEEncoder.keepAlive : nil
        case .feed:
            guard now - lastWrite >= settings.eventsKeepAlive else { return nil }
            var buffer = ByteBuffer()
            SSEEncoder.write(ByteBuffer(string: "{\"timestamp\":\(Self.timestamp)}"), id: nil, event: "keepalive", to: &buffer)
            return buffer
        }
    }

    /// Milliseconds since 1970.
    private static var timestamp: Int64 { Int64(Date().timeIntervalSince1970 * 1000) }
}
