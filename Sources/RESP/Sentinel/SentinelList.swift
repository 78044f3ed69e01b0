/// The sentinels that are known, the one to ask next first.
struct SentinelList: Sendable {
    private(set) var addresses: [RedisAddress]
    let limit: Int

    init(_ addresses: [RedisAddress], limit: Int) {
        var seen: Set<RedisAddress> = []
        self.addresses = addresses.filter { seen.insert($0).inserted }
        self.limit = max(limit, self.addresses.count)
    }

    /// Adds sentinels that another told of, as far as there is room.
    mutating func learn(_ others: [RedisAddress]) {
        for other in others where addresses.count < limit && !addresses.contains(other) { addresses.append(other) }
    }

    /// The sentinel answered: it is asked first the next time.
    mutating func prefer(_ address: RedisAddress) {
        guard let index = addresses.firstIndex(of: address) else { return }
        addresses.remove(at: index)
        addresses.insert(address, at: 0)
    }

    /// The sentinel did not answer, or not rightly: it is asked last the next time.
    mutating func demote(_ address: RedisAddress) {
        guard let index = addresses.firstIndex(of: address) else { return }
        addresses.append(addresses.remove(at: index))
    }
}

/// Readers of what sentinels say.
enum SentinelReply {
    /// The answer to `SENTINEL GET-MASTER-ADDR-BY-NAME`; nil if the sentinel knows no such master.
    static func masterAddress(_ value: RESPValue) -> RedisAddress? {
        guard let parts = value.elements, parts.count == 2, let host = parts[0].text, let port = parts[1].int else { return nil }
        return address(host: host, port: port)
    }

    /// The answer to `SENTINEL SENTINELS`: where the others are.
    static func sentinels(_ value: RESPValue) -> [RedisAddress] {
        (value.elements ?? []).compactMap { sentinel in
            var host: String?
            var port: Int64?
            for entry in sentinel.entries ?? [] {
                switch entry.key.text {
                case "ip": host = entry.value.text
                case "port": port = entry.value.int
                default: break
                }
            }
            return host.flatMap { host in port.flatMap { address(host: host, port: $0) } }
        }
    }

    /// The payload of `+switch-master`, which is `name old-host old-port new-host new-port`: the new master, if it is of that name.
    static func newMaster(_ payload: String, of name: String) -> RedisAddress? {
        let words = payload.split(separator: " ", omittingEmptySubsequences: false)
        // The name may hold spaces.
        guard words.count >= 5, words[..<(words.count - 4)].joined(separator: " ") == name, let port = Int64(words[words.count - 1]) else {
            return nil
        }
        return address(host: String(words[words.count - 2]), port: port)
    }

    /// The payload of events about a replica, which is `slave name host port @ master-name host port`: both, if the master is of that name.
    static func replica(_ payload: String, of name: String) -> (replica: RedisAddress, master: RedisAddress)? {
        guard let at = payload.firstRange(of: " @ ") else { return nil }
        let replica = payload[..<at.lowerBound].split(separator: " ")
        let master = payload[at.upperBound...].split(separator: " ", omittingEmptySubsequences: false)
        guard replica.count == 4, replica[0] == "slave", master.count >= 3, master[..<(master.count - 2)].joined(separator: " ") == name,
            let port = Int64(replica[3]), let replicaAddress = address(host: String(replica[2]), port: port),
            let port = Int64(master[master.count - 1]), let masterAddress = address(host: String(master[master.count - 2]), port: port)
        else { return nil }
        return (replicaAddress, masterAddress)
    }

    private static func address(host: String, port: Int64) -> RedisAddress? {
        guard !host.isEmpty, (1...65535).contains(port) else { return nil }
        return RedisAddress(host: host, port: Int(port))
    }
}
