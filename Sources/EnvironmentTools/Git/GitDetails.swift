/// The state of a Git work tree.
struct GitDetails: Encodable, Sendable, Equatable {
    struct Commit: Encodable, Sendable, Equatable {
        var hash: String
        var subject: String
        var author: String
        /// Committer date, strict ISO 8601 with the committer's offset.
        var date: String
    }

    /// Numbers of paths. A path that is changed in the index and again in the work tree counts in both.
    struct Changes: Encodable, Sendable, Equatable {
        var staged = 0
        var modified = 0
        /// An untracked folder counts once, as in `git status`.
        var untracked = 0
        var conflicted = 0
    }

    var repository: String
    /// Nil when HEAD is detached.
    var branch: String?
    var detached: Bool
    /// Nil before the first commit.
    var head: Commit?
    var upstream: String?
    /// Nil without an upstream, or when its branch is gone.
    var ahead: Int?
    var behind: Int?
    var clean: Bool
    var changes: Changes
}
