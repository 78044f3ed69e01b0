/// What `git status --porcelain=v2 --branch -z` says (git-status(1), "Porcelain Format Version 2").
struct GitStatus: Sendable, Equatable {
    /// Nil before the first commit.
    var commit: String?
    /// Nil when HEAD is detached.
    var branch: String?
    var upstream: String?
    var ahead: Int?
    var behind: Int?
    var changes = GitDetails.Changes()

    var isClean: Bool { changes == GitDetails.Changes() }

    init() {}

    /// Reads the command's output. Names of files may hold any byte but NUL, so records are split on NUL only and no name is read.
    /// Unknown records and headers are skipped, as the format asks of its readers.
    init(porcelain output: [UInt8]) {
        var skipsOriginalPath = false
        for record in output.split(separator: 0, omittingEmptySubsequences: false) {
            if skipsOriginalPath {
                skipsOriginalPath = false
                continue
            }
            switch record.first {
            case UInt8(ascii: "#"):
                readHeader(String(decoding: record.dropFirst(2), as: UTF8.self))
            case UInt8(ascii: "1"):
                countChange(record)
            case UInt8(ascii: "2"):
                countChange(record)
                // A rename or copy is followed by the path that it came from.
                skipsOriginalPath = true
            case UInt8(ascii: "u"):
                changes.conflicted += 1
            case UInt8(ascii: "?"):
                changes.untracked += 1
            default:
                continue
            }
        }
    }

    private mutating func countChange(_ record: ArraySlice<UInt8>) {
        // "1 XY …": X is the index, Y the work tree, "." is unchanged.
        let flags = record.dropFirst(2).prefix(2)
        guard flags.count == 2, let index = flags.first, let workTree = flags.last else { return }
        if index != UInt8(ascii: ".") { changes.staged += 1 }
        if workTree != UInt8(ascii: ".") { changes.modified += 1 }
    }

    private mutating func readHeader(_ header: String) {
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2 else { return }
        let value = String(parts[1])
        switch parts[0] {
        case "branch.oid": commit = value == "(initial)" ? nil : value
        case "branch.head": branch = value == "(detached)" ? nil : value
        case "branch.upstream": upstream = value
        case "branch.ab":
            let counts = value.split(separator: " ").compactMap { Int($0) }
            guard counts.count == 2 else { return }
            (ahead, behind) = (counts[0], -counts[1])
        default: return
        }
    }
}
