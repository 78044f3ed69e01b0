/// What the environment tools look at, and how long and how much they may read.
public struct EnvironmentToolsSettings: Sendable {
    /// Where a database is expected. Never holds credentials: the tool does not log in.
    public struct DatabaseEndpoint: Sendable, Equatable {
        /// Host name or address.
        public var host: String
        /// TCP port, 1…65535.
        public var port: Int

        /// Makes an endpoint from a host name or address and a TCP port.
        public init(host: String, port: Int = 5432) {
            self.host = host
            self.port = port
        }
    }

    /// A folder inside the Git work tree to report on; relative paths start at the gateway's working directory.
    public var repositoryPath: String = "."
    /// The name of the Git command, looked up on `PATH`.
    public var gitCommand: String = "git"
    /// The Unix domain socket of the Docker Engine API.
    public var dockerSocketPath: String = "/var/run/docker.sock"
    /// The database to probe; nil reports it as not configured.
    public var database: DatabaseEndpoint?

    /// Bound for all Git commands of one check together.
    public var gitTimeout: Duration = .seconds(5)
    /// Bound for all requests to the Docker Engine of one check together.
    public var dockerTimeout: Duration = .seconds(3)
    /// Bound for connecting to the database and its first answer together.
    public var databaseTimeout: Duration = .seconds(3)
    /// Bound for the whole call, waiting for another caller's check included.
    public var overallTimeout: Duration = .seconds(10)

    /// The most bytes that are read of one Git command's output.
    public var maximumGitOutputBytes: Int = 2 * 1024 * 1024
    /// The most bytes that are read of one answer of the Docker Engine.
    public var maximumDockerBodyBytes: Int = 4 * 1024 * 1024
    /// The most containers that are listed by name; the counts cover all of them.
    public var maximumContainers: Int = 50

    /// Makes settings with the defaults above.
    public init() {}
}
