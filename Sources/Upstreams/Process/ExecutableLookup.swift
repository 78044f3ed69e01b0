import Glibc

/// Finds the file that a command names, and says precisely why when there is none.
enum ExecutableLookup {
    /// Searched when the child's environment has no `PATH`.
    static let defaultPath = "/usr/local/bin:/usr/bin:/bin"

    /// The absolute path of `command`. Reads the file system.
    static func resolve(
        _ command: String,
        path: String?,
        workingDirectory: String?
    ) throws(ChildStartError) -> String {
        let base = workingDirectory.map(absolute) ?? currentDirectory()
        if workingDirectory != nil, !isDirectory(base) {
            throw .workingDirectoryMissing(path: base)
        }
        if command.utf8.contains(UInt8(ascii: "/")) {
            let file = command.hasPrefix("/") ? command : base + "/" + command
            switch check(file) {
            case .executable: return file
            case .notExecutable: throw .notExecutable(path: file)
            case .missing: throw .noSuchFile(path: file)
            }
        }
        let searched = path ?? defaultPath
        var blocked: String?
        for directory in searched.split(separator: ":", omittingEmptySubsequences: true) where !command.isEmpty {
            let file = (directory.hasPrefix("/") ? "" : base + "/") + directory + "/" + command
            switch check(file) {
            case .executable: return file
            case .notExecutable: blocked = blocked ?? file
            case .missing: continue
            }
        }
        if let blocked {
            throw .notExecutable(path: blocked)
        }
        throw .commandNotFound(command: command, searchedPath: searched)
    }

    private enum Finding {
        case executable
        case notExecutable
        case missing
    }

    private static func check(_ file: String) -> Finding {
        var status = stat()
        guard stat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return .missing }
        return access(file, X_OK) == 0 ? .executable : .notExecutable
    }

    private static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    private static func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : currentDirectory() + "/" + path
    }

    private static func currentDirectory() -> String {
        guard let directory = getcwd(nil, 0) else { return "/" }
        defer { free(directory) }
        return String(cString: directory)
    }
}
