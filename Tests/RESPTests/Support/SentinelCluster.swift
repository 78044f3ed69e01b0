import RedisServers
import NIOCore

@testable import RESP

/// A master, a replica and three sentinels that watch them.
struct SentinelCluster {
    let servers: [RedisServer]
    let sentinels: [RedisServer]

    static let name = "main one"

    /// - Parameter downAfter: milliseconds of silence after which a sentinel holds the master for gone.
    static func start(downAfter: Int = 500, password: String? = nil) async throws -> SentinelCluster {
        let passwords = password.map { ["requirepass \($0)", "masterauth \($0)"] } ?? []
        let master = try await RedisServer.start { _ in passwords + ["repl-diskless-sync-delay 0"] }
        let replica = try await RedisServer.start { _ in passwords + ["replicaof 127.0.0.1 \(master.port)", "repl-diskless-sync-delay 0"] }
        try await eventually("the replica follows") {
            try replica.run("INFO", "replication", password: password).contains("master_link_status:up")
        }
        var sentinels: [RedisServer] = []
        for _ in 0..<3 {
            sentinels.append(
                try await RedisServer.start(.sentinel) { _ in
                    let name = "\"\(name)\""
                    return ["sentinel monitor \(name) 127.0.0.1 \(master.port) 2"]
                        + (password.map { ["sentinel auth-pass \(name) \($0)"] } ?? []) + [
                            "sentinel down-after-milliseconds \(name) \(downAfter)", "sentinel failover-timeout \(name) 5000",
                            "sentinel parallel-syncs \(name) 1",
                        ]
                })
        }
        let cluster = SentinelCluster(servers: [master, replica], sentinels: sentinels)
        try await eventually("the sentinels know each other and the replica", within: 30) {
            try sentinels.allSatisfy { sentinel in
                let info = try sentinel.run("INFO", "sentinel")
                return info.contains("status=ok") && info.contains("slaves=1") && info.contains("sentinels=3")
            }
        }
        return cluster
    }

    func configuration(_ sentinels: [RedisServer]? = nil) -> RedisConfiguration {
        var configuration = RedisConfiguration(target: .sentinels((sentinels ?? self.sentinels).map(\.address), master: Self.name))
        configuration.commandTimeout = .seconds(20)
        return configuration
    }

    /// What a sentinel says that the master is.
    func masterPort(of sentinel: Int = 0) throws -> Int? {
        try sentinels[sentinel].run("SENTINEL", "GET-MASTER-ADDR-BY-NAME", Self.name).split(separator: "\n").last.flatMap { Int($0) }
    }
}
