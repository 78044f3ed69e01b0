/// A JSON-RPC method of MCP that the gateway treats by name; any other passes through as `.other`.
public enum Method: Hashable, Sendable {
    case initialize
    case initialized
    case ping
    case cancelled
    case progress
    case toolsList
    case toolsCall
    case promptsList
    case promptsGet
    case resourcesList
    case resourcesTemplatesList
    case resourcesRead
    case resourcesSubscribe
    case resourcesUnsubscribe
    case resourcesUpdated
    case completionComplete
    case loggingSetLevel
    case loggingMessage
    case toolsListChanged
    case promptsListChanged
    case resourcesListChanged
    case rootsList
    case rootsListChanged
    case samplingCreateMessage
    case elicitationCreate
    case elicitationComplete
    case tasksGet
    case tasksResult
    case tasksList
    case tasksCancel
    case tasksStatus
    /// Of the modern era.
    case serverDiscover
    case subscriptionsListen
    case subscriptionsAcknowledged
    case tasksUpdate
    /// `notifications/tasks` of the extension.
    case taskNotification
    case other(String)

    private static let known: [(StaticString, Method)] = [
        ("tools/call", .toolsCall),
        ("notifications/progress", .progress),
        ("notifications/message", .loggingMessage),
        ("tools/list", .toolsList),
        ("initialize", .initialize),
        ("notifications/initialized", .initialized),
        ("ping", .ping),
        ("notifications/cancelled", .cancelled),
        ("prompts/list", .promptsList),
        ("prompts/get", .promptsGet),
        ("resources/list", .resourcesList),
        ("resources/templates/list", .resourcesTemplatesList),
        ("resources/read", .resourcesRead),
        ("resources/subscribe", .resourcesSubscribe),
        ("resources/unsubscribe", .resourcesUnsubscribe),
        ("notifications/resources/updated", .resourcesUpdated),
        ("completion/complete", .completionComplete),
        ("logging/setLevel", .loggingSetLevel),
        ("notifications/tools/list_changed", .toolsListChanged),
        ("notifications/prompts/list_changed", .promptsListChanged),
        ("notifications/resources/list_changed", .resourcesListChanged),
        ("roots/list", .rootsList),
        ("notifications/roots/list_changed", .rootsListChanged),
        ("sampling/createMessage", .samplingCreateMessage),
        ("elicitation/create", .elicitationCreate),
        ("notifications/elicitation/complete", .elicitationComplete),
        ("tasks/get", .tasksGet),
        ("tasks/result", .tasksResult),
        ("tasks/list", .tasksList),
        ("tasks/cancel", .tasksCancel),
        ("notifications/tasks/status", .tasksStatus),
        ("server/discover", .serverDiscover),
        ("subscriptions/listen", .subscriptionsListen),
        ("notifications/subscriptions/acknowledged", .subscriptionsAcknowledged),
        ("tasks/update", .tasksUpdate),
        ("notifications/tasks", .taskNotification),
    ]

    /// The method for a raw JSON string with its quotes.
    init(jsonString: UnsafeRawBufferPointer) {
        guard jsonString.count >= 2 else {
            self = .other("")
            return
        }
        let content = UnsafeRawBufferPointer(rebasing: jsonString[1..<jsonString.count - 1])
        for (name, method) in Method.known where content.equals(name) {
            self = method
            return
        }
        let name = decodeJSONStringContent(content)
        self = content.contains(UInt8(ascii: "\\")) ? Method(name) : .other(name)
    }

    /// The method with that name.
    public init(_ name: String) {
        self = Method.known.first { $0.0.description == name }?.1 ?? .other(name)
    }

    /// The name on the wire.
    public var name: String {
        if case .other(let name) = self { return name }
        return Method.known.first { $0.1 == self }?.0.description ?? ""
    }
}
