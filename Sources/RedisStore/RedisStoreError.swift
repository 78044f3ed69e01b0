/// Why a store in Redis could not be opened.
public enum RedisStoreError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Redis did not answer within the bound.
    case unreachable(server: String, seconds: Double, detail: String)
    /// Redis answered with an error (user and password, rights, memory, a script it does not understand).
    case refused(server: String, detail: String)
    /// The secret is too short.
    case shortSecret(bytes: Int)
    /// The instances that run have another secret than this one, or have it from a file.
    case otherSecret(isFromFile: Bool)
    /// Redis answered what this version does not understand.
    case unexpected(detail: String)

    public var description: String {
        switch self {
        case .unreachable(let server, let seconds, let detail):
            "Redis (\(server)) did not answer within \(seconds) s: \(detail); check store.redis.url and that the server runs"
        case .refused(let server, let detail):
            "Redis (\(server)) refuses what the gateway needs: \(detail)"
        case .shortSecret(let bytes):
            "cluster.secretFile holds \(bytes) bytes; it must hold at least 32, for example from `openssl rand -hex 32`"
        case .otherSecret(let isFromFile):
            isFromFile
                ? "cluster.secretFile is not the secret that the cluster uses; give all instances the same file, or delete the field "
                    + "`secret` of the key `cluster` after all of them are stopped (sessions then end)"
                : "the cluster's secret comes from a file; give this instance the same cluster.secretFile"
        case .unexpected(let detail): "Redis answered what this version does not understand: \(detail)"
        }
    }
}
