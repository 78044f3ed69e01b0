/// Decides when an edited file is to be read again: a value type without I/O.
///
/// Editors replace files by renaming, truncate them before they write, and write in pieces; so a new state counts only when two looks
/// in a row find the same.
struct FileObservation: Equatable {
    /// What a look at the file found. Whole contents are compared: files are small, and neither time stamps (coarse) nor inode numbers
    /// (reused; unchanged behind a symbolic link that moves, as in Kubernetes' mounted config maps) tell for certain.
    enum Look: Equatable, Sendable {
        case missing
        case contents(path: String, text: String)
        case unreadable(reason: String)
    }

    enum Action: Equatable {
        case doNothing
        case reload
    }

    /// What the configuration in use, or the last refusal, came from.
    private var settled: Look
    private var candidate: Look?

    init(_ initial: Look) {
        settled = initial
    }

    mutating func observe(_ look: Look) -> Action {
        if look == settled {
            candidate = nil
            return .doNothing
        }
        guard look == candidate else {
            candidate = look
            return .doNothing
        }
        settled = look
        candidate = nil
        return .reload
    }
}
