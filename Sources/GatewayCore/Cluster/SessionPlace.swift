public import MCPProtocol

/// Where a request of a session is served.
public enum SessionPlace: Sendable {
    /// Here.
    case here(Session)
    /// At another instance. A request that came from an instance is not sent on; that one is told.
    case elsewhere(InstanceRecord)
    /// At another instance, though it does not know the session: nobody does, and nobody can ask the store.
    case standIn(InstanceRecord)
    /// Not here, and this instance cannot ask the store where. Told to an instance that asks.
    case notHere
    /// Nowhere at the moment: its home cannot be reached, is leaving, or is not taken for dead yet. To be asked again soon.
    case moving
    /// There is no such session: the id is forged, or it has ended or expired.
    case unknown
}

/// What a request itself says of its session, for an instance that stands in for the session's home and knows nothing else of it.
public struct SessionTraits: Sendable, Hashable {
    /// The one server of the endpoint; nil for all.
    public let server: String?
    public let revision: Revision

    /// - Parameter revision: what the request names; one that names none is of 2025-03-26 (2025-11-25, basic/transports, "Protocol Version Header").
    public init(server: String? = nil, revision: Revision? = nil) {
        self.server = server
        self.revision = revision ?? .v2025_03_26
    }
}

/// Who sends a request.
public enum RequestSource: Sendable, Hashable {
    case client
    /// Another instance, that could not serve it itself.
    case instance(ForwardReason)

    public var isClient: Bool { self == .client }
}

/// What an instance knows of the place of a request that it passes on.
public enum ForwardReason: UInt8, Sendable, Hashable {
    /// It cannot ask the store.
    case withoutStore
    /// What the store says, which it reaches.
    case withStore
    /// It cannot ask the store, and neither can any of the others, none of whom has the session: the receiver is to stand in for its home.
    case nobodyHasIt
}

/// The instances that a request was sent to in vain, and why they are not asked again for it.
public struct TriedInstances: Sendable {
    private var refused: Set<InstanceIdentity> = []
    private var unreachable: Set<InstanceIdentity> = []
    /// Whether each of them that could be reached has said that the session is not there and that it cannot ask the store.
    private(set) var allAreWithout = true

    public init() {}

    /// It said that the request is not for it.
    ///
    /// - Parameter isWithout: because it does not have the session and cannot ask the store.
    public mutating func add(_ instance: InstanceIdentity, isWithout: Bool = false) {
        refused.insert(instance)
        if !isWithout { allAreWithout = false }
    }

    public mutating func addUnreachable(_ instance: InstanceIdentity) { unreachable.insert(instance) }

    /// They may be asked again.
    public mutating func forget() { self = TriedInstances() }
    public func contains(_ instance: InstanceRecord) -> Bool { refused.contains(instance.identity) || isUnreachable(instance) }
    func isUnreachable(_ instance: InstanceRecord) -> Bool { unreachable.contains(instance.identity) }
}
