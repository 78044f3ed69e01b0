public import NIOCore

/// A task as both eras know it: that of 2025-11-25 (basic/utilities/tasks) and that of the extension (SEP-2663, "Tasks").
public struct TaskState: Sendable, Equatable {
    public enum Status: String, Sendable, Hashable {
        case working
        case inputRequired = "input_required"
        case completed, failed, cancelled

        /// Nothing follows it.
        public var isTerminal: Bool {
            switch self {
            case .working, .inputRequired: false
            case .completed, .failed, .cancelled: true
            }
        }
    }

    /// As its server calls it.
    public let id: String
    public var status: Status
    /// Raw JSON.
    public var statusMessage: ByteBuffer?
    private let createdAt: ByteBuffer
    private let lastUpdatedAt: ByteBuffer
    /// Raw milliseconds, or `null`.
    private let timeToLive: ByteBuffer
    private let pollInterval: ByteBuffer?
    /// Milliseconds between polls, as the server suggests.
    public let pollMilliseconds: Int?
    /// Raw `result`, of a completed one, where it is known.
    public var result: ByteBuffer?
    /// Raw `error`, of a failed one, where it is known.
    public var error: ByteBuffer?
    /// Raw `inputRequests`.
    public var inputRequests: ByteBuffer?

    /// Reads one.
    ///
    /// - Parameter era: whose members it has.
    /// - Returns: nil when it is none.
    public init?(_ span: JSONSpan, in json: JSONText, era: Revision.Era) {
        func raw(_ key: StaticString) -> ByteBuffer? { json.slice(json.member(key, of: span)) }
        guard json.isObject(span), let id = json.string(json.member("taskId", of: span)),
            let status = json.string(json.member("status", of: span)).flatMap(Status.init(rawValue:))
        else { return nil }
        self.id = id
        self.status = status
        statusMessage = raw("statusMessage")
        let unknown = ByteBuffer(string: "\"1970-01-01T00:00:00Z\"")
        let created = raw("createdAt") ?? unknown
        createdAt = created
        lastUpdatedAt = raw("lastUpdatedAt") ?? created
        timeToLive = raw(era == .modern ? "ttlMs" : "ttl") ?? ByteBuffer(string: "null")
        let interval = json.member(era == .modern ? "pollIntervalMs" : "pollInterval", of: span)
        pollInterval = json.slice(interval)
        pollMilliseconds = json.integer(interval)
        guard era == .modern else { return }
        result = raw("result")
        error = raw("error")
        inputRequests = raw("inputRequests")
    }

    /// One of the gateway's own that is over.
    ///
    /// - Parameters:
    ///   - time: ISO 8601.
    ///   - timeToLive: milliseconds.
    public init(completed id: String, result: ByteBuffer, at time: String, timeToLive: Int64) {
        self.id = id
        status = .completed
        createdAt = .jsonString(time)
        lastUpdatedAt = createdAt
        self.timeToLive = ByteBuffer(string: String(timeToLive))
        pollInterval = nil
        pollMilliseconds = nil
        self.result = result
    }

    /// Whether the result says that the tool failed: to the legacy era a failed task, to the modern one a completed one.
    private var isToolError: Bool {
        guard let result, let json = try? JSONText(validating: result) else { return false }
        return json.isTrue(json.member("isError", of: json.root))
    }

    // MARK: For clients

    /// Raw `Task` of 2025-11-25.
    ///
    /// - Parameter meta: raw members (`"key":value,…`) that stand before the others.
    public func legacy(members: ByteBuffer? = nil) -> ByteBuffer {
        var bytes = ByteBuffer(string: "{")
        if let members {
            bytes.writeImmutableBuffer(members)
            bytes.writeStaticString(",")
        }
        let shown = status == .completed && isToolError ? Status.failed : status
        write(to: &bytes, id: id, status: shown, timeToLive: "ttl", pollInterval: "pollInterval")
        bytes.writeStaticString("}")
        return bytes
    }

    /// Raw object of the modern era, with what belongs to the status.
    ///
    /// - Parameters:
    ///   - id: as the client knows the task.
    ///   - members: raw members (`"key":value,…`) that stand before the others.
    public func modern(id: String, members: ByteBuffer? = nil) -> ByteBuffer {
        var bytes = ByteBuffer(string: "{")
        if let members {
            bytes.writeImmutableBuffer(members)
            bytes.writeStaticString(",")
        }
        write(to: &bytes, id: id, status: status, timeToLive: "ttlMs", pollInterval: "pollIntervalMs")
        let detail: (StaticString, ByteBuffer?) =
            switch status {
            case .completed: (",\"result\":", result)
            case .failed: (",\"error\":", error)
            case .inputRequired: (",\"inputRequests\":", inputRequests)
            case .working, .cancelled: ("", nil)
            }
        if let value = detail.1 {
            bytes.writeStaticString(detail.0)
            bytes.writeImmutableBuffer(value)
        }
        bytes.writeStaticString("}")
        return bytes
    }

    private func write(
        to bytes: inout ByteBuffer, id: String, status: Status, timeToLive key: StaticString, pollInterval intervalKey: StaticString
    ) {
        bytes.writeStaticString("\"taskId\":")
        bytes.writeJSONString(id)
        bytes.writeString(",\"status\":\"\(status.rawValue)\"")
        if let statusMessage {
            bytes.writeStaticString(",\"statusMessage\":")
            bytes.writeImmutableBuffer(statusMessage)
        }
        bytes.writeStaticString(",\"createdAt\":")
        bytes.writeImmutableBuffer(createdAt)
        bytes.writeStaticString(",\"lastUpdatedAt\":")
        bytes.writeImmutableBuffer(lastUpdatedAt)
        bytes.writeString(",\"\(key)\":")
        bytes.writeImmutableBuffer(timeToLive)
        if let pollInterval {
            bytes.writeString(",\"\(intervalKey)\":")
            bytes.writeImmutableBuffer(pollInterval)
        }
    }
}
