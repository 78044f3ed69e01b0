public import Foundation

/// How instances that share a store work together (`gateway.cluster`); used with `store.kind: redis` only.
public struct ClusterSettings: Sendable, Equatable {
    /// Bytes that `secretFile` holds at least.
    public static let minimumSecretBytes = 32

    /// Where other instances reach this one, such as `http://10.0.0.5:3001`; `nil`: `http://<host>:<port>`.
    public var address: String?
    /// Time between two signs of life in the store.
    public var heartbeat = Duration.seconds(1)
    /// An instance that gave no sign of life for this long is dead, and its work is taken over; more than twice `heartbeat`.
    public var lease = Duration.seconds(3)
    /// Absolute path of the file with the secret that every instance has; `nil`: one is made once and kept in the store.
    public var secretFile: String?

    /// The defaults.
    public init() {}

    /// Reads `secretFile`; `nil` if there is none.
    /// - Throws: a `ConfigurationError` that names the file and what to do. It holds nothing of what is in the file.
    public func secret() throws(ConfigurationError) -> Data? {
        guard let secretFile else { return nil }
        guard let data = FileManager.default.contents(atPath: secretFile) else {
            throw failure(secretFile, "the file cannot be read; check that it is there and may be read by this user")
        }
        guard data.count >= Self.minimumSecretBytes else {
            throw failure(
                secretFile,
                """
                the file holds \(data.count) bytes and must hold at least \(Self.minimumSecretBytes); make one with \
                head -c 32 /dev/urandom, the same for every instance
                """)
        }
        return data
    }

    private func failure(_ path: String, _ message: String) -> ConfigurationError {
        ConfigurationError([
            ConfigurationProblem(origin: .file(path: path, line: nil), key: "gateway.cluster.secretFile", message: message)
        ])
    }
}

extension GatewaySettings {
    /// Where other instances reach this one: `cluster.address`, else `http://<host>:<port>`.
    /// - Parameter port: the port that is listened on, where `self.port` let the system choose.
    public func clusterAddress(port: Int? = nil) -> String {
        if let address = cluster.address { return address }
        let name = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
        return "http://\(name):\(port ?? self.port)"
    }
}
