public import MCPProtocol

/// The four lists an MCP server offers.
public enum CatalogueKind: Int, Sendable, Hashable, CaseIterable {
    case tools, prompts, resources, resourceTemplates

    /// The kind a list method asks for.
    public init?(listMethod: Method) {
        switch listMethod {
        case .toolsList: self = .tools
        case .promptsList: self = .prompts
        case .resourcesList: self = .resources
        case .resourcesTemplatesList: self = .resourceTemplates
        default: return nil
        }
    }

    /// The method that lists it.
    public var listMethod: Method {
        switch self {
        case .tools: .toolsList
        case .prompts: .promptsList
        case .resources: .resourcesList
        case .resourceTemplates: .resourcesTemplatesList
        }
    }

    /// The notification that says the list changed.
    public var listChanged: Method {
        switch self {
        case .tools: .toolsListChanged
        case .prompts: .promptsListChanged
        case .resources, .resourceTemplates: .resourcesListChanged
        }
    }

    /// The member of the list result that holds the entries.
    public var resultKey: StaticString {
        switch self {
        case .tools: "tools"
        case .prompts: "prompts"
        case .resources: "resources"
        case .resourceTemplates: "resourceTemplates"
        }
    }

    /// The capability that announces it.
    public var capability: StaticString {
        switch self {
        case .tools: "tools"
        case .prompts: "prompts"
        case .resources, .resourceTemplates: "resources"
        }
    }

    /// The member of an entry that requests refer to it by.
    var identifier: StaticString {
        switch self {
        case .tools, .prompts: "name"
        case .resources: "uri"
        case .resourceTemplates: "uriTemplate"
        }
    }

    /// Whether entries of different servers are told apart by a prefix. URIs are not touched: they also appear inside results.
    var isPrefixed: Bool { self == .tools || self == .prompts }
}
