/// The built-in tools (`gateway.environmentTools`).
public struct EnvironmentToolSettings: Sendable, Equatable {
    /// Whether the built-in tools are served.
    public var enabled = true
    /// Absolute path of the Git repository that is reported on. Default: the working directory.
    public var repository = SystemDefaults.workingDirectory()
    /// Absolute path of the Docker Engine's unix socket.
    public var dockerSocket = SystemDefaults.dockerSocket()
    /// Host of the database whose port is probed; `nil`: no database is configured.
    public var databaseHost: String?
    /// Port of that database.
    public var databasePort = 5432

    /// The defaults.
    public init() {}
}
