import Foundation

/// The file that an import writes.
public enum ImportTarget {
    /// The content of the file; `nil` if it does not exist.
    public static func read(_ path: String) throws(ImportError) -> String? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        return try readSource(path)
    }

    /// The content of a file that must exist.
    public static func readSource(_ path: String) throws(ImportError) -> String {
        do throws(ConfigurationFile.ReadError) {
            return try ConfigurationFile.read(path)
        } catch {
            throw ImportError("\(path): \(error.message)")
        }
    }

    /// Replaces the file in one step, so that a running gateway never sees half of it. A new file has mode 0600, because it may hold
    /// secrets; an existing one keeps its mode. Symbolic links are followed.
    public static func write(_ text: String, to path: String) throws(ImportError) {
        let manager = FileManager.default
        let destination = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        let mode = (try? manager.attributesOfItem(atPath: destination)[.posixPermissions] as? Int) ?? 0o600
        let temporary = destination + ".\(ProcessInfo.processInfo.processIdentifier).tmp"
        guard manager.createFile(atPath: temporary, contents: Data(text.utf8), attributes: [.posixPermissions: mode]) else {
            throw ImportError("\(path): the file cannot be written; check the permissions of its directory, or use --output or --print")
        }
        guard rename(temporary, destination) == 0 else {
            let reason = String(cString: strerror(errno))
            try? manager.removeItem(atPath: temporary)
            throw ImportError("\(path): the file cannot be replaced: \(reason)")
        }
    }
}
