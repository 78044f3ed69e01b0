import ArgumentParser
import GatewayConfiguration
import RESP

/// The flags that `serve`, `stdio` and `doctor` share.
struct ConfigurationOptions: ParsableArguments {
    @Option(name: [.short, .long], help: "Configuration file (JSON or YAML). Default: mcp-gateway.json, .yaml or .yml here.")
    var config: String?

    @Option(help: "Directory for sessions and events.")
    var dataDirectory: String?

    @Option(help: "Least severe log level: trace, debug, info, notice, warning, error or critical.")
    var logLevel: String?

    @Option(help: "How log lines look: auto, text or json.")
    var logFormat: String?

    var overrides: [ConfigurationOverride] {
        var overrides: [ConfigurationOverride] = []
        if let dataDirectory { overrides.append(.init(flag: "--data-directory", key: "store.dataDirectory", value: dataDirectory)) }
        if let logLevel { overrides.append(.init(flag: "--log-level", key: "log.level", value: logLevel)) }
        if let logFormat { overrides.append(.init(flag: "--log-format", key: "log.format", value: logFormat)) }
        return overrides
    }

    /// What reads the configuration.
    func loader(overrides extra: [ConfigurationOverride] = []) -> ConfigurationLoader {
        ConfigurationLoader(
            configPath: config, overrides: overrides + extra, redisURLProblem: { RedisConfiguration.problem(withURL: $0) })
    }

    /// Loads the configuration; problems end the command with exit code 78 (EX_CONFIG).
    func load(overrides extra: [ConfigurationOverride] = []) throws -> (loader: ConfigurationLoader, configuration: GatewayConfiguration) {
        let loader = loader(overrides: extra)
        do throws(ConfigurationError) {
            return (loader, try loader.load())
        } catch {
            StandardError.print("\(error)")
            throw ExitCode(78)
        }
    }
}
