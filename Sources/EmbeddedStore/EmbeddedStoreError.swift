/// Why an embedded store could not be opened.
public enum EmbeddedStoreError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Another gateway has the directory open.
    case inUse(directory: String, pid: Int32?)
    /// A newer version of the gateway has written the database.
    case newerSchema(path: String, migrations: [String])
    /// The file is damaged or is no SQLite database.
    case corrupt(path: String, detail: String)
    /// The key file has not the length of a key.
    case badSigningKey(path: String, bytes: Int)
    /// A system call on a file failed.
    case file(path: String, action: String, errno: Int32, detail: String)
    /// SQLite could not open the database.
    case database(path: String, detail: String)

    public var description: String {
        switch self {
        case .inUse(let directory, let pid):
            let holder = pid.map { "process \($0)" } ?? "another process"
            return "the data directory \(directory) is in use by \(holder); stop it, or give this gateway a directory of its own"
        case .newerSchema(let path, let migrations):
            return "\(path) was written by a newer version of the gateway (unknown schema: \(migrations.joined(separator: ", "))); "
                + "use that version, or move the file away to start with an empty store"
        case .corrupt(let path, let detail):
            return "\(path) is damaged (\(detail)); restore it from a backup, recover it with `sqlite3 gateway.sqlite .recover`, "
                + "or move it and its -wal and -shm files away to start with an empty store"
        case .badSigningKey(let path, let bytes):
            return "\(path) has \(bytes) bytes instead of \(StoreDirectory.keyBytes); restore it from a backup, "
                + "or delete it: a new key is made and clients have to initialize again"
        case .file(let path, let action, let code, let detail):
            return "could not \(action) \(path): \(detail) (errno \(code)); check that the path exists and belongs to the gateway's user"
        case .database(let path, let detail):
            return "could not open the database \(path): \(detail)"
        }
    }
}
