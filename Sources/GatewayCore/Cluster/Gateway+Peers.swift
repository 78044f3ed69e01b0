/// The other instances, as this one knows them.
extension Gateway {
    /// An instance that may be asked in this one's place; nil when there is none that was not asked already.
    func successor(tried: TriedInstances, in cluster: ClusterServices) -> InstanceRecord? {
        let candidates = cluster.directory.peers.filter { !$0.isDraining && !tried.contains($0) && !isSilent($0) }
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

    /// An instance has not begun to answer a request, and without the store nobody learns whether it lives.
    public func fellSilent(_ instance: InstanceIdentity) { silentInstances.add(instance) }

    /// Whether an instance is left alone for a while, because it did not answer. Where the store is reached, that says who lives.
    func isSilent(_ instance: InstanceRecord) -> Bool {
        guard case .withoutStore = forwardReason else { return false }
        return silentInstances.contains(instance.identity)
    }

    /// What this instance can say of what it passes on.
    public var forwardReason: ForwardReason {
        guard let cluster, case .lapsed = cluster.directory.lease else { return .withStore }
        return .withoutStore
    }
}
