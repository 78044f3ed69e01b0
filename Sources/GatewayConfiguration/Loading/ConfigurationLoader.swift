public import Foundation

/// Finds, reads, merges and checks the configuration. Precedence: flag, environment, file, default.
public struct ConfigurationLoader: Sendable {
    /// Names that are looked for in the working directory if neither `--config` nor `MCP_GATEWAY_CONFIG` is given.
    /// `.mcp.json` is not among them: it belongs to a client; `mcp-gateway import` reads it.
    public static let defaultFileNames = ["mcp-gateway.json", "mcp-gateway.yaml", "mcp-gateway.yml"]

    /// Value of `--config`.
    public var configPath: String?
    /// The flags that the user gave; of several for one key the last wins.
    public var overrides: [ConfigurationOverride]
    /// The process's variables.
    public var environment: [String: String]
    /// Absolute; relative paths of flags and variables are relative to it.
    public var currentDirectory: String
    /// Why a text is no URL of Redis, nil if it is one; must not quote it. The driver knows, which is none of this module's business.
    public var redisURLProblem: @Sendable (_ text: String) -> String?

    /// - Parameters:
    ///   - configPath: value of `--config`; a file that does not exist is an error.
    ///   - overrides: the flags that the user gave.
    ///   - environment: the process's variables.
    ///   - currentDirectory: absolute path of the working directory.
    ///   - redisURLProblem: why a text is no URL of Redis; without it every text is taken for one.
    public init(
        configPath: String? = nil, overrides: [ConfigurationOverride] = [],
        environment: [String: String] = ProcessInfo.processInfo.environment,
        currentDirectory: String = FileManager.default.currentDirectoryPath,
        redisURLProblem: @escaping @Sendable (_ text: String) -> String? = { _ in nil }
    ) {
        self.configPath = configPath
        self.overrides = overrides
        self.environment = environment
        self.currentDirectory = currentDirectory
        self.redisURLProblem = redisURLProblem
    }

    /// Reads the file (if there is one) and merges every source.
    /// - Throws: all problems of all sources at once.
    public func load() throws(ConfigurationError) -> GatewayConfiguration {
        let here = ValueContext(environment: environment, directory: currentDirectory)
        var problems: [ConfigurationProblem] = []
        let flags = readFlags(here, problems: &problems)
        let variables = EnvironmentReader(context: here).read()
        let source = locate()
        let file = source.map { readFile($0) } ?? FileReader.Contents()
        problems += variables.problems + file.problems

        let fileValues = file.gateway.mapValues(\.value)
        let settings = SettingsMerge.settings(
            from: [("flags", flags), ("environment", variables.values), ("file", fileValues)], defaults: defaults())
        let check = SettingsCheck(
            settings: settings,
            origin: { key in
                if flags[key] != nil { return overrides.last { $0.key == key }.map { .flag($0.flag) } }
                if let variable = variables.variables[key] { return .environment(variable: variable) }
                return file.gateway[key].map { .file(path: source ?? "", line: $0.line) }
            }, environment: environment, redisURLProblem: redisURLProblem)
        problems += check.problems()
        guard problems.isEmpty else { throw ConfigurationError(inOrder(problems)) }
        return GatewayConfiguration(
            gateway: settings, servers: file.servers, source: source, warnings: variables.warnings + check.warnings())
    }

    /// Flags, environment, file by line. Stable: problems of a file without a line come first, those of one line as they were found.
    private func inOrder(_ problems: [ConfigurationProblem]) -> [ConfigurationProblem] {
        func rank(_ problem: ConfigurationProblem) -> Int {
            switch problem.origin {
            case .flag: 0
            case .environment: 1
            case .file: 2
            }
        }
        return problems.enumerated().sorted {
            (rank($0.element), $0.element.line, $0.offset) < (rank($1.element), $1.element.line, $1.offset)
        }.map(\.element)
    }

    /// The absolute path of the file that `load()` reads: `--config`, else `MCP_GATEWAY_CONFIG`, else the first of `defaultFileNames` that
    /// exists; `nil` if there is none.
    public func locate() -> String? {
        let here = ValueContext(environment: environment, directory: currentDirectory)
        if let configPath { return here.absolutePath(configPath) }
        if let named = environment[EnvironmentReader.configVariable], !named.isEmpty { return here.absolutePath(named) }
        return Self.defaultFileNames.map { here.absolutePath($0) }.first(where: ConfigurationFile.isFile)
    }

    private func defaults() -> GatewaySettings {
        var settings = GatewaySettings()
        settings.store.dataDirectory = SystemDefaults.dataDirectory(environment: environment)
        settings.environmentTools.dockerSocket = SystemDefaults.dockerSocket(environment: environment)
        settings.environmentTools.repository = currentDirectory
        return settings
    }

    private func readFlags(_ context: ValueContext, problems: inout [ConfigurationProblem]) -> [String: ConfigurationValue] {
        var values: [String: ConfigurationValue] = [:]
        for override in overrides {
            guard let key = ConfigurationKeys.gateway.first(where: { $0.path == override.key }) else {
                let guess =
                    NearestName.find(override.key, in: ConfigurationKeys.gateway.map(\.path)).map { "; did you mean \"\($0)\"?" } ?? ""
                problems.append(
                    ConfigurationProblem(origin: .flag(override.flag), message: "there is no key gateway.\(override.key)\(guess)"))
                continue
            }
            do throws(ValueReader.Failure) {
                let reader = ValueReader(kind: key.kind, context: context, mayQuote: true)
                values[key.path] = try reader.value(fromText: override.value)
            } catch {
                problems.append(ConfigurationProblem(origin: .flag(override.flag), key: "gateway.\(key.path)", message: error.message))
            }
        }
        return values
    }

    private func readFile(_ path: String) -> FileReader.Contents {
        func failed(_ message: String, line: Int? = nil) -> FileReader.Contents {
            FileReader.Contents(problems: [ConfigurationProblem(origin: .file(path: path, line: line), message: message)])
        }
        let text: String
        do throws(ConfigurationFile.ReadError) {
            text = try ConfigurationFile.read(path)
        } catch {
            return failed(error.message)
        }
        do throws(DocumentError) {
            let root = try DocumentFormat.detect(path: path, text: text).parse(text)
            let directory = path.split(separator: "/").dropLast().map { "/" + $0 }.joined()
            let context = ValueContext(environment: environment, directory: directory.isEmpty ? "/" : directory)
            return FileReader(path: path, context: context).read(root)
        } catch {
            return failed(error.message, line: error.line)
        }
    }
}
