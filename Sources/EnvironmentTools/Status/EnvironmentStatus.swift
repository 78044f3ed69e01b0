/// The tool's `structuredContent`; `EnvironmentStatusTool.definition` describes it as a JSON Schema.
struct EnvironmentStatus: Encodable, Sendable {
    /// When the gateway looked, ISO 8601 in UTC.
    var timestamp: String
    var host: HostFacts
    var git: PartReport<GitDetails>
    var docker: PartReport<DockerDetails>
    var database: PartReport<DatabaseDetails>
}
