@testable import GatewayConfiguration

/// Loads a file of the given text, with nothing else from the machine.
func load(
    _ text: String, as name: String = "mcp-gateway.json", environment: [String: String] = [:], overrides: [ConfigurationOverride] = [],
    redisURLProblem: @escaping @Sendable (String) -> String? = { _ in nil }
) throws -> GatewayConfiguration {
    let directory = try TemporaryDirectory()
    try directory.write(text, to: name)
    return try ConfigurationLoader(
        configPath: name, overrides: overrides, environment: ["HOME": "/home/test"].merging(environment) { $1 },
        currentDirectory: directory.path, redisURLProblem: redisURLProblem
    ).load()
}

/// The problems that loading ends with: "line: key: message" for the file.
func problems(
    _ text: String, as name: String = "mcp-gateway.json", environment: [String: String] = [:], overrides: [ConfigurationOverride] = [],
    redisURLProblem: @escaping @Sendable (String) -> String? = { _ in nil }
) throws -> [String] {
    do {
        _ = try load(text, as: name, environment: environment, overrides: overrides, redisURLProblem: redisURLProblem)
        return []
    } catch let error as ConfigurationError {
        return error.problems.map { problem in
            let place =
                switch problem.origin {
                case .file(_, let line): line.map { "\($0)" } ?? "file"
                case .environment(let variable): variable
                case .flag(let flag): flag
                }
            return [place, problem.key, problem.message].compactMap { $0 }.joined(separator: ": ")
        }
    }
}
