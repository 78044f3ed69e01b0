import MCPProtocol
import NIOConcurrencyHelpers

/// The merged lists, as each session sees them.
extension Gateway {
    /// The catalogue as the session sees it.
    func view(for session: Session) -> CatalogueView {
        let own = session.state.withLockedValue { $0.catalogues }
        let marksTasks = session.revision == .v2025_11_25 && !session.isREST
        guard own.isEmpty else { return makeView(server: session.server, own: own, marksTasks: marksTasks) }
        return state.withLockedValue { state in
            if marksTasks, let view = state.withTasks[session.server] { return view }
            guard let server = session.server else { return state.merged }
            return state.single[server] ?? CatalogueView(parts: [], pageSize: settings.pageSize)
        }
    }

    private func makeView(server: String?, own: [String: UpstreamCatalogue], marksTasks: Bool = false) -> CatalogueView {
        let (hosts, builtins) = state.withLockedValue { ($0.hosts, $0.builtinCatalogue) }
        var parts: [CatalogueView.Part] = []
        if server == nil || server == Self.builtinName {
            parts.append(.init(owner: Self.builtinName, catalogue: builtins, filter: .everything, isPrefixed: false))
        }
        for host in hosts where server == nil || server == host.name {
            parts.append(
                .init(
                    owner: host.name, catalogue: own[host.name] ?? host.catalogue, filter: host.definition.toolFilter,
                    isPrefixed: server == nil, marksTasks: marksTasks && host.isModern && host.hasTasks))
        }
        return CatalogueView(parts: parts, pageSize: settings.pageSize)
    }

    /// Renders the catalogue again and tells sessions which lists changed.
    func catalogueChanged() {
        // One at a time: of two changes at once the one that looked first must not store its view last.
        let (merged, single, oldMerged, oldSingle) = rendering.withLock {
            let merged = makeView(server: nil, own: [:])
            let names = hosts.map(\.name) + [Self.builtinName]
            let single = Dictionary(uniqueKeysWithValues: Set(names).map { ($0, makeView(server: $0, own: [:])) })
            let modern = hosts.filter { $0.isModern && $0.hasTasks }.map { Optional($0.name) }
            let withTasks = Dictionary(
                uniqueKeysWithValues: Set(modern.isEmpty ? [] : modern + [nil]).map {
                    ($0, makeView(server: $0, own: [:], marksTasks: true))
                })
            return state.withLockedValue { state in
                defer {
                    state.merged = merged
                    state.single = single
                    state.withTasks = withTasks
                }
                return (merged, single, state.merged, state.single)
            }
        }
        let empty = CatalogueView(parts: [], pageSize: settings.pageSize)
        let mergedChanges = merged.changes(from: oldMerged)
        let changesByServer = Dictionary(uniqueKeysWithValues: single.map { ($0, $1.changes(from: oldSingle[$0] ?? empty)) })
        guard !mergedChanges.isEmpty || changesByServer.values.contains(where: { !$0.isEmpty }) else { return }
        for session in registry.all {
            let changes = session.server.map { changesByServer[$0] ?? [] } ?? mergedChanges
            for method in changes.sorted(by: { $0.name < $1.name }) { session.sendListChanged(method) }
        }
    }

    /// Tells the sessions that a server may serve that lists of it changed, as it said.
    func listsChanged(_ methods: Set<MCPProtocol.Method>, of host: UpstreamHost) {
        guard !methods.isEmpty else { return }
        for session in registry.all where session.server == nil || session.server == host.name {
            for method in methods.sorted(by: { $0.name < $1.name }) { session.sendListChanged(method) }
        }
    }
}
