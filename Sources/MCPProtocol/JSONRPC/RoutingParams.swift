/// Members of `params` that decide where a message goes. A second member of the same name is refused: the gateway and the server behind
/// it could each believe another one.
public struct RoutingParams: Sendable {
    /// Raw `name`: of a tool or a prompt.
    public private(set) var name = JSONSpan.absent
    /// Raw `uri`.
    public private(set) var uri = JSONSpan.absent
    /// Raw `_meta`.
    public private(set) var meta = JSONSpan.absent
    /// Raw `task`: the request is to be run as a task.
    public private(set) var task = JSONSpan.absent
    /// Raw `taskId`.
    public private(set) var taskID = JSONSpan.absent
    /// Raw `ref` of a completion.
    public private(set) var reference = JSONSpan.absent
    /// Raw `arguments` of a call.
    public private(set) var arguments = JSONSpan.absent
    /// Raw `requestState` and `inputResponses` of a request that is sent again with input.
    private var requestState = JSONSpan.absent
    private var inputResponses = JSONSpan.absent
    /// Raw `requestId` of a cancellation.
    public private(set) var requestID = JSONSpan.absent
    /// Raw `progressToken` of `_meta`.
    public private(set) var progressToken = JSONSpan.absent

    /// Raw `traceparent` of `_meta`.
    public private(set) var traceparent = JSONSpan.absent
    /// Raw `tracestate` of `_meta`.
    public private(set) var tracestate = JSONSpan.absent

    private enum Key {
        case name, uri, meta, task, taskID, reference, arguments, requestState, inputResponses, requestID, progressToken, traceparent,
            tracestate

        /// The key between its quotes; a key may be written with escapes, it is the same key then.
        init?(_ bytes: UnsafeRawBufferPointer) {
            if bytes.contains(UInt8(ascii: "\\")) {
                var decoded = decodeJSONStringContent(bytes)
                guard let key = decoded.withUTF8({ Key(decoded: UnsafeRawBufferPointer($0)) }) else { return nil }
                self = key
            } else {
                self.init(decoded: bytes)
            }
        }

        private init?(decoded bytes: UnsafeRawBufferPointer) {
            switch bytes.count {
            case 3 where bytes.equals("uri"): self = .uri
            case 3 where bytes.equals("ref"): self = .reference
            case 4 where bytes.equals("name"): self = .name
            case 4 where bytes.equals("task"): self = .task
            case 5 where bytes.equals("_meta"): self = .meta
            case 6 where bytes.equals("taskId"): self = .taskID
            case 9 where bytes.equals("arguments"): self = .arguments
            case 9 where bytes.equals("requestId"): self = .requestID
            case 10 where bytes.equals("tracestate"): self = .tracestate
            case 11 where bytes.equals("traceparent"): self = .traceparent
            case 12 where bytes.equals("requestState"): self = .requestState
            case 13 where bytes.equals("progressToken"): self = .progressToken
            case 14 where bytes.equals("inputResponses"): self = .inputResponses
            default: return nil
            }
        }
    }

    init() {}

    /// Scans the `params` object at the scanner's position.
    mutating func scan(_ scanner: inout JSONScanner) throws(JSONScanError) {
        try scanner.beginObject(depth: 1)
        var topLevelToken = false
        while let (bytes, offset) = try scanner.nextKey() {
            let key = Key(bytes)
            let start = scanner.position
            if key == .meta, try scanner.peek() == UInt8(ascii: "{") {
                try scanMeta(&scanner)
            } else {
                _ = try scanner.nextValue(depth: 2)
            }
            let value = JSONSpan(start, scanner.position)
            switch key {
            case .name: try Self.note(&name, value, offset)
            case .uri: try Self.note(&uri, value, offset)
            case .meta: try Self.note(&meta, value, offset)
            case .task: try Self.note(&task, value, offset)
            case .taskID: try Self.note(&taskID, value, offset)
            case .reference: try Self.note(&reference, value, offset)
            case .arguments: try Self.note(&arguments, value, offset)
            case .requestState: try Self.note(&requestState, value, offset)
            case .inputResponses: try Self.note(&inputResponses, value, offset)
            case .requestID: try Self.note(&requestID, value, offset)
            case .progressToken:
                // Of a progress notification; not the one of `_meta`.
                guard !topLevelToken else { throw JSONScanError(.duplicateKey, at: offset) }
                topLevelToken = true
            case .traceparent, .tracestate, nil: break
            }
        }
    }

    private mutating func scanMeta(_ scanner: inout JSONScanner) throws(JSONScanError) {
        try scanner.beginObject(depth: 2)
        while let (bytes, offset) = try scanner.nextKey() {
            let value = try scanner.nextValue(depth: 3)
            switch Key(bytes) {
            case .progressToken: try Self.note(&progressToken, value, offset)
            case .traceparent: try Self.note(&traceparent, value, offset)
            case .tracestate: try Self.note(&tracestate, value, offset)
            default: break
            }
        }
    }

    private static func note(_ member: inout JSONSpan, _ value: JSONSpan, _ offset: Int) throws(JSONScanError) {
        guard !member.isPresent else { throw JSONScanError(.duplicateKey, at: offset) }
        member = value
    }
}
