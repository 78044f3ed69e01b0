import Foundation
import Logging

/// The directory of an embedded store: made private, locked while it is open, home of the key of session ids.
struct StoreDirectory: Sendable {
    static let keyBytes = 32

    let path: String
    /// Descriptor that holds the lock; closed by `unlock()`.
    private let lockDescriptor: Int32

    var databasePath: String { path + "/gateway.sqlite" }
    var keyPath: String { path + "/session-id.key" }

    /// Creates the directory (0700) if it is missing and locks it.
    static func lock(_ path: String, logger: Logger) throws(EmbeddedStoreError) -> StoreDirectory {
        try create(path, logger: logger)
        let lockPath = path + "/gateway.lock"
        // Close-on-exec: a child process must not keep the lock of a gateway that has died.
        let descriptor = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure(lockPath, "open") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            let holder = readPID(descriptor)
            close(descriptor)
            guard code == EWOULDBLOCK else { throw failure(lockPath, "lock", code) }
            throw .inUse(directory: path, pid: holder)
        }
        let pid = Array("\(getpid())\n".utf8)
        guard ftruncate(descriptor, 0) == 0, pwrite(descriptor, pid, pid.count, 0) == pid.count else {
            let error = failure(lockPath, "write")
            close(descriptor)
            throw error
        }
        return StoreDirectory(path: path, lockDescriptor: descriptor)
    }

    /// Lets others open the directory. Call once.
    func unlock() {
        // The file stays: removing it would let two processes lock two files of the same name.
        // Said, not only implied by closing: a child that is between fork and exec just now still holds the same description.
        flock(lockDescriptor, LOCK_UN)
        close(lockDescriptor)
    }

    /// Makes the database file with private rights before SQLite does it with the process's umask; -wal and -shm files follow it.
    func prepareDatabaseFile() throws(EmbeddedStoreError) {
        let descriptor = open(databasePath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.failure(databasePath, "open") }
        defer { close(descriptor) }
        guard fchmod(descriptor, 0o600) == 0 else { throw Self.failure(databasePath, "make private") }
    }

    /// Size of the database file in bytes; 0 when there is none.
    var databaseBytes: Int {
        var status = stat()
        return stat(databasePath, &status) == 0 ? Int(status.st_size) : 0
    }

    /// The key of session ids: read, or made at the first time.
    func signingKey() throws(EmbeddedStoreError) -> [UInt8] {
        if let key = try readKey() { return key }
        let key = Self.randomKey()
        // Written beside and renamed: a crash leaves the whole key or none.
        let temporary = keyPath + ".new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.failure(temporary, "create") }
        let written = write(descriptor, key, key.count) == key.count && fsync(descriptor) == 0
        let code = errno
        close(descriptor)
        guard written else { throw Self.failure(temporary, "write", code) }
        guard rename(temporary, keyPath) == 0 else { throw Self.failure(keyPath, "create") }
        return key
    }

    static func randomKey() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<keyBytes).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }

    private func readKey() throws(EmbeddedStoreError) -> [UInt8]? {
        let descriptor = open(keyPath, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw Self.failure(keyPath, "open")
        }
        defer { close(descriptor) }
        guard fchmod(descriptor, 0o600) == 0 else { throw Self.failure(keyPath, "make private") }
        var bytes = [UInt8](repeating: 0, count: Self.keyBytes + 1)
        let count = read(descriptor, &bytes, bytes.count)
        guard count >= 0 else { throw Self.failure(keyPath, "read") }
        guard count == Self.keyBytes else { throw .badSigningKey(path: keyPath, bytes: count) }
        return Array(bytes.prefix(count))
    }

    private static func create(_ path: String, logger: Logger) throws(EmbeddedStoreError) {
        var status = stat()
        if stat(path, &status) == 0 {
            // An existing directory is somebody's decision: its rights are not changed, the files in it are private anyhow.
            if status.st_mode & 0o077 != 0 {
                logger.notice("the data directory is open to other users", metadata: ["directory": "\(path)"])
            }
            return
        }
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw .file(path: path, action: "create the directory", errno: errno, detail: "\(error)")
        }
        guard chmod(path, 0o700) == 0 else { throw failure(path, "make private") }
    }

    private static func readPID(_ descriptor: Int32) -> Int32? {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { return nil }
        return Int32(String(decoding: bytes.prefix(count), as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines))
    }

    private static func failure(_ path: String, _ action: String, _ code: Int32 = errno) -> EmbeddedStoreError {
        .file(path: path, action: action, errno: code, detail: String(cString: strerror(code)))
    }
}
