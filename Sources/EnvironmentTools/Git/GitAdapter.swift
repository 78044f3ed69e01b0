import Subprocess

/// Asks the `git` command about the configured repository. Reads only: takes no lock, runs no hook, asks nobody anything.
struct GitAdapter: Sendable {
    private let repository: String
    private let command: String
    private let maximumOutputBytes: Int

    /// Git's messages are a few lines; more than this is a fault.
    private static let maximumErrorBytes = 64 * 1024
    /// A commit's subject may be as long as its author likes.
    private static let maximumSubjectCharacters = 200

    init(settings: EnvironmentToolsSettings) {
        repository = settings.repositoryPath
        command = settings.gitCommand
        maximumOutputBytes = settings.maximumGitOutputBytes
    }

    /// Cancelling kills the command.
    func report() async -> PartReport<GitDetails> {
        do {
            let status = GitStatus(
                porcelain: try await run("status", "--porcelain=v2", "--branch", "-z", "--untracked-files=normal"))
            let head = status.commit == nil ? nil : try await headCommit()
            return .available(
                GitDetails(
                    repository: repository, branch: status.branch, detached: status.branch == nil, head: head,
                    upstream: status.upstream, ahead: status.ahead, behind: status.behind,
                    clean: status.isClean, changes: status.changes))
        } catch let failure as Failure {
            return .without(failure.status, failure.reason)
        } catch {
            return .without(.error, "git failed: \(error)")
        }
    }

    private func headCommit() async throws -> GitDetails.Commit? {
        let output = try await run("log", "-1", "--no-show-signature", "--encoding=UTF-8", "--format=%H%x00%an%x00%cI%x00%s")
        let fields = output.split(separator: 0, maxSplits: 3, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
        guard fields.count == 4 else { return nil }
        let subject = fields[3].hasSuffix("\n") ? fields[3].dropLast() : fields[3][...]
        return GitDetails.Commit(
            hash: fields[0], subject: String(subject.prefix(Self.maximumSubjectCharacters)), author: fields[1], date: fields[2])
    }

    private func run(_ arguments: String...) async throws -> [UInt8] {
        var platformOptions = PlatformOptions()
        // An own process group, so that what git itself starts goes with it.
        platformOptions.processGroupID = 0
        platformOptions.teardownSequence = [
            .send(signal: .terminate, toProcessGroup: true, allowedDurationToNextStep: .milliseconds(200))
        ]
        do {
            let result = try await Subprocess.run(
                .name(command),
                // A repository's own configuration could name a program to run as its file system monitor.
                arguments: Arguments(["--no-pager", "-c", "core.fsmonitor=false", "-C", repository] + arguments),
                environment: Self.environment,
                platformOptions: platformOptions,
                output: .bytes(limit: maximumOutputBytes),
                error: .string(limit: Self.maximumErrorBytes))
            guard result.terminationStatus.isSuccess else {
                throw Failure(message: result.standardError, termination: result.terminationStatus, repository: repository)
            }
            return result.standardOutput
        } catch let error as SubprocessError {
            throw Failure(error: error, command: command, maximumOutputBytes: maximumOutputBytes)
        }
    }

    private static let environment = Environment.inherit.updating([
        "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_PAGER": "cat", "LC_ALL": "C",
        // Set when the gateway was started by a Git hook; they would point every command at that repository.
        "GIT_DIR": nil, "GIT_WORK_TREE": nil, "GIT_INDEX_FILE": nil, "GIT_PREFIX": nil, "GIT_OBJECT_DIRECTORY": nil,
        "GIT_COMMON_DIR": nil, "GIT_NAMESPACE": nil,
    ])

    /// Why there is nothing to report.
    private struct Failure: Error {
        var status: PartStatus
        var reason: String

        init(message: String, termination: TerminationStatus, repository: String) {
            let firstLine = message.split(separator: "\n").first.map(String.init) ?? "\(termination)"
            if firstLine.contains("cannot change to") {
                self.init(status: .absent, reason: "the repository path \(repository) is missing or cannot be entered: \(firstLine)")
            } else if firstLine.contains("not a git repository") {
                self.init(status: .absent, reason: "\(repository) is not inside a Git repository")
            } else if firstLine.contains("dubious ownership") {
                self.init(
                    status: .absent,
                    reason: "\(repository) belongs to another user, so git refuses it; allow it with "
                        + "git config --global --add safe.directory <path> as the gateway's user")
            } else if firstLine.contains("must be run in a work tree") {
                self.init(status: .absent, reason: "\(repository) is a Git repository without a work tree")
            } else {
                self.init(status: .error, reason: "git failed (\(termination)): \(firstLine)")
            }
        }

        init(error: SubprocessError, command: String, maximumOutputBytes: Int) {
            switch error.code {
            case .executableNotFound:
                self.init(status: .absent, reason: "the command \(command) is not on PATH; install Git to have this check")
            case .outputLimitExceeded:
                self.init(
                    status: .error,
                    reason: "git wrote more than \(maximumOutputBytes) bytes; the work tree has too many changed or untracked paths")
            default:
                self.init(status: .error, reason: "git could not be run: \(error)")
            }
        }

        private init(status: PartStatus, reason: String) {
            self.status = status
            self.reason = reason
        }
    }
}
