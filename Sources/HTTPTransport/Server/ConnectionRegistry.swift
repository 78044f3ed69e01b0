import NIOCore

/// Something kept in a ``ConnectionRegistry``.
protocol RegisteredConnection: AnyObject {
    var registryIndex: Int? { get set }
}

/// The connections of one event loop in some state, with adding and removing in constant time. Confined to the loop.
struct ConnectionRegistry<Connection: RegisteredConnection> {
    private(set) var members: [Connection] = []

    mutating func add(_ connection: Connection) {
        guard connection.registryIndex == nil else { return }
        connection.registryIndex = members.count
        members.append(connection)
    }

    mutating func remove(_ connection: Connection) {
        guard let index = connection.registryIndex else { return }
        connection.registryIndex = nil
        let last = members.removeLast()
        if last !== connection {
            members[index] = last
            last.registryIndex = index
        }
    }
}
