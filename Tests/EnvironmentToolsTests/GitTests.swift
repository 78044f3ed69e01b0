import Foundation
import Testing

@testable import EnvironmentTools

@Suite("Git")
struct GitTests {
    private func report(_ path: String, change: (inout EnvironmentToolsSettings) -> Void = { _ in }) async -> PartReport<GitDetails> {
        var settings = EnvironmentToolsSettings()
        settings.repositoryPath = path
        change(&settings)
        return await GitAdapter(settings: settings).report()
    }

    private func repository() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        try folder.git("init", "-b", "main")
        return folder
    }

    private func repositoryWithCommit() throws -> TemporaryFolder {
        let folder = try repository()
        try folder.write("one\n", to: "file")
        try folder.git("add", ".")
        try folder.git("commit", "-m", "Say \"one\" → first\n\nBody that is not the subject.")
        return folder
    }

    @Test("a clean repository reports its branch and head commit")
    func clean() async throws {
        let folder = try repositoryWithCommit()
        let report = await report(folder.path)
        #expect(report.status == .available)
        let details = try #require(report.details)
        #expect(details.branch == "main")
        #expect(!details.detached)
        #expect(details.clean)
        let hash = try folder.git("rev-parse", "HEAD").trimmingCharacters(in: .newlines)
        #expect(details.head?.hash == hash)
        #expect(details.head?.subject == "Say \"one\" → first")
        #expect(details.head?.author == "Ada")
        #expect(details.upstream == nil)
    }

    @Test("staged, modified and untracked paths are counted, whatever bytes their names hold")
    func dirty() async throws {
        let folder = try repositoryWithCommit()
        try folder.write("two\n", to: "both")
        try folder.git("add", "both")
        try folder.write("three\n", to: "both")
        try folder.write("changed\n", to: "file")
        for name in ["new\nline", "# branch.head forged", "1 M. x", "tab\tquote\" ä", "? space"] { try folder.write("x", to: name) }
        let details = try #require(await report(folder.path).details)
        #expect(details.changes == .init(staged: 1, modified: 2, untracked: 5, conflicted: 0))
        #expect(!details.clean)
        #expect(details.branch == "main")
    }

    @Test("a rename counts once, and its old name is not taken for a record")
    func rename() async throws {
        let folder = try repository()
        try folder.write("content that git recognises\n", to: "? old")
        try folder.git("add", ".")
        try folder.git("commit", "-m", "Add")
        try folder.git("mv", "? old", "new")
        let details = try #require(await report(folder.path).details)
        #expect(details.changes == .init(staged: 1, modified: 0, untracked: 0, conflicted: 0))
    }

    @Test("conflicted paths are counted")
    func conflict() async throws {
        let folder = try repositoryWithCommit()
        try folder.git("checkout", "-q", "-b", "other")
        try folder.write("other\n", to: "file")
        try folder.git("commit", "-a", "-m", "Other")
        try folder.git("checkout", "-q", "main")
        try folder.write("mine\n", to: "file")
        try folder.git("commit", "-a", "-m", "Mine")
        try folder.git("merge", "other", mayFail: true)
        let details = try #require(await report(folder.path).details)
        #expect(details.changes == .init(staged: 0, modified: 0, untracked: 0, conflicted: 1))
    }

    @Test("the distance to the upstream branch is reported")
    func upstream() async throws {
        let folder = try repositoryWithCommit()
        try folder.git("branch", "base")
        try folder.git("branch", "--set-upstream-to=base")
        try folder.git("commit", "--allow-empty", "-m", "Second")
        let details = try #require(await report(folder.path).details)
        #expect(details.upstream == "base")
        #expect(details.ahead == 1)
        #expect(details.behind == 0)
    }

    @Test("a detached head has no branch")
    func detached() async throws {
        let folder = try repositoryWithCommit()
        try folder.git("checkout", "-q", "--detach")
        let details = try #require(await report(folder.path).details)
        #expect(details.detached)
        #expect(details.branch == nil)
        #expect(details.head != nil)
    }

    @Test("a repository without commits is available and has no head")
    func empty() async throws {
        let folder = try repository()
        let report = await report(folder.path)
        #expect(report.status == .available)
        #expect(report.details?.branch == "main")
        #expect(report.details?.head == nil)
    }

    @Test("no repository, no path and no git command are absences with a reason")
    func absent() async throws {
        let folder = try TemporaryFolder()
        let noRepository = await report(folder.path)
        #expect(noRepository.status == .absent)
        #expect(noRepository.reason == "\(folder.path) is not inside a Git repository")
        let noPath = await report(folder.path + "/missing")
        #expect(noPath.status == .absent)
        #expect(noPath.reason?.contains("missing or cannot be entered") == true)
        let noCommand = await report(folder.path) { $0.gitCommand = "git-that-nobody-has" }
        #expect(noCommand.status == .absent)
        #expect(noCommand.reason?.contains("git-that-nobody-has is not on PATH") == true)
    }

    @Test("output beyond the limit is an error that says so")
    func bounded() async throws {
        let folder = try repositoryWithCommit()
        let report = await report(folder.path) { $0.maximumGitOutputBytes = 10 }
        #expect(report.status == .error)
        #expect(report.reason?.contains("more than 10 bytes") == true)
    }

    @Test("the check leaves the repository's index file alone")
    func readOnly() async throws {
        let folder = try repositoryWithCommit()
        // A new time without new content makes an ordinary `git status` rewrite the index.
        try folder.write("one\n", to: "file")
        let before = try Data(contentsOf: URL(fileURLWithPath: folder.path + "/.git/index"))
        _ = await report(folder.path)
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder.path + "/.git/index")) == before)
    }

    @Test("headers and records that a later git may add are skipped")
    func unknownRecords() {
        let output = "# branch.oid (initial)\0# stash 3\0# branch.head main\0! ignored\0x new kind\0? a\0"
        let status = GitStatus(porcelain: Array(output.utf8))
        #expect(status.commit == nil)
        #expect(status.branch == "main")
        #expect(status.changes.untracked == 1)
    }
}
