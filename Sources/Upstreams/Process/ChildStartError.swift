/// Why a child process could not be started.
public enum ChildStartError: Error, Sendable, Hashable, CustomStringConvertible {
    /// No executable file of that name in the directories of `PATH`.
    case commandNotFound(command: String, searchedPath: String)
    /// The command is a path, and there is no file.
    case noSuchFile(path: String)
    /// The file exists but may not be executed.
    case notExecutable(path: String)
    /// The working directory does not exist or is not a directory.
    case workingDirectoryMissing(path: String)
    /// The kernel refused to start the program.
    case spawnFailed(path: String, problem: String)
    /// No pipe to the child could be made.
    case noPipe(problem: String)

    public var description: String {
        switch self {
        case .commandNotFound(let command, let searchedPath):
            "command \"\(command)\" not found on PATH (searched: \(searchedPath)); install it, correct \"command\", or give its full path"
        case .noSuchFile(let path):
            "command \"\(path)\" does not exist; correct \"command\""
        case .notExecutable(let path):
            "\"\(path)\" is not executable; run chmod +x on it or name its interpreter as \"command\""
        case .workingDirectoryMissing(let path):
            "working directory \"\(path)\" does not exist or is not a directory; create it or correct \"cwd\""
        case .spawnFailed(let path, let problem):
            "\"\(path)\" could not be started: \(problem)"
        case .noPipe(let problem):
            "no pipe to the child process could be made: \(problem); if too many files are open, raise the limit (ulimit -n)"
        }
    }
}
