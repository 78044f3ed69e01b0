/// What to run as a child process.
public struct ChildCommand: Sendable, Hashable {
    /// An absolute path, a path relative to `workingDirectory`, or a name that is looked up on the `PATH` of the child's environment.
    public var command: String
    /// The arguments after the command's own name.
    public var arguments: [String]
    /// Variables added to (or replacing those of) the inherited environment, see ``ChildEnvironment``.
    public var environment: [String: String]
    /// The directory the child starts in; the gateway's own when `nil`.
    public var workingDirectory: String?

    public init(
        command: String,
        arguments: [String] = [],
        environment: [String: String] = [:],
        workingDirectory: String? = nil
    ) {
        self.command = command
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
    }
}
