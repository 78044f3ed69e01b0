/// The other instances, as this one knows them.
extension Gateway {
    /// An instance that may be asked in this one's place; nil when there is none that was not asked already.
    func successor(tried: TriedInstances, in cluster: ClusterServices) -> InstanceRecord? {
        let candidates = cluster.directory.peers.filter { !$0.isDraining && !tried.contains($0) }
        return candidates.randomElement()
    }

    /// What other instances call this one; nil when there are none.
    public var instanceName: String? { cluster?.directory.identity.name }

    /// The instance of that name, if it is alive and not this one.
    public func peer(named name: String) -> InstanceRecord? { cluster?.directory.peers.first { $0.identity.name == name } }

    /// Whether an instance that a request was sent to is still alive.
    public func isAlive(_ instance: InstanceIdentity) -> Bool {
        cluster?.directory.peers.contains { $0.identity == instance } ?? false
    }

    /// What this instance can say of what it passes on.
    public var forwardReason: ForwardReason {
        guard let cluster, case .lapsed = cluster.directory.lease else { return .withStore }
        return .withoutStore
    }
}
