public import MCPProtocol

/// Exchanges of modern clients that wait for their clients' input: each is in the memory of the instance that works on it, and the client's retry may
/// land at any.
extension Gateway {
    /// This life of this process, as the owner of a parked exchange.
    var ownLife: InstanceIdentity { cluster?.directory.identity ?? InstanceIdentity(name: "", incarnation: processTag) }

    /// What a retry of an exchange that is parked here needs to find it.
    func parkedState(of parked: ParkedExchange, attachment: Int, asked: [AskedInput], answered: [KnownAnswer]) -> RequestState {
        .parked(
            ParkedState(
                id: parked.id, attachment: attachment, owner: ownLife, address: cluster?.directory.address ?? "", asked: asked,
                answered: answered))
    }

    /// The instance that has the parked exchange which a modern request goes on with; nil when it is this one or there is none.
    ///
    /// It need not be among the living: what is cut off from the store is not heard of, and neither is what has started just now, but both
    /// may be reached.
    public func ownerOfParked(in request: Message, server: String?) -> InstanceRecord? {
        guard let cluster, let parked = parkedState(in: request, server: server), parked.owner != ownLife else { return nil }
        let peers = cluster.directory.peers
        if let owner = peers.first(where: { $0.identity == parked.owner }) { return owner }
        guard let address = try? InstanceAddress(parked.address) else { return nil }
        // It has started again, or another listens where it did: what it had is gone.
        let isReplaced = peers.contains {
            $0.identity.name == parked.owner.name && $0.identity.incarnation > parked.owner.incarnation || $0.address == address
        }
        guard !isReplaced else { return nil }
        return InstanceRecord(
            identity: parked.owner, address: address, version: "", colour: nil, startedAt: WallTime(milliseconds: 0))
    }

    /// Whether a modern request goes on with an exchange of this instance's.
    public func isParkedHere(_ request: Message, server: String?) -> Bool { parkedState(in: request, server: server)?.owner == ownLife }

    private func parkedState(in request: Message, server: String?) -> ParkedState? {
        guard let text = request.json.string(request.param("requestState")),
            case .parked(let parked)? = try? requestStates.open(
                text, digest: RequestState.digest(of: request), scope: server ?? "", now: clock.now())
        else { return nil }
        return parked
    }
}
