/// Reads the gateway keys that environment variables set.
struct EnvironmentReader {
    struct Contents {
        var values: [String: ConfigurationValue] = [:]
        /// The variable that a value came from, by path.
        var variables: [String: String] = [:]
        var problems: [ConfigurationProblem] = []
        var warnings: [String] = []
    }

    /// Names the file; not a key.
    static let configVariable = "MCP_GATEWAY_CONFIG"
    private static let prefix = "MCP_GATEWAY_"
    private static let refused = [(variable: "DATABASE_URL", thing: "PostgreSQL")]

    var context: ValueContext

    /// An empty variable counts as unset, as `docker compose` sets what it does not know.
    func read() -> Contents {
        var contents = Contents()
        for key in ConfigurationKeys.gateway {
            let names = key.environmentVariables.filter { name in
                context.environment[name].map { !$0.isEmpty && !isServiceLink(name, value: $0) } ?? false
            }
            // The strongest counts; the weaker ones must still be valid.
            for name in names.reversed() {
                do throws(ValueReader.Failure) {
                    let reader = ValueReader(kind: key.kind, context: context, mayQuote: true)
                    contents.values[key.path] = try reader.value(fromText: context.environment[name] ?? "")
                    contents.variables[key.path] = name
                } catch {
                    contents.problems.append(
                        ConfigurationProblem(origin: .environment(variable: name), key: "gateway.\(key.path)", message: error.message))
                }
            }
        }
        refuse(&contents)
        warn(&contents)
        return contents
    }

    private func refuse(_ contents: inout Contents) {
        for (variable, thing) in Self.refused where context.environment[variable]?.isEmpty == false {
            let message = """
                this release cannot keep sessions in \(thing); unset \(variable)
                """
            contents.problems.append(ConfigurationProblem(origin: .environment(variable: variable), message: message))
        }
    }

    private func warn(_ contents: inout Contents) {
        let known = Set(ConfigurationKeys.gateway.map(\.environmentVariable) + [Self.configVariable])
        for (name, value) in context.environment.sorted(by: { $0.key < $1.key })
        where name.hasPrefix(Self.prefix) && !known.contains(name) && !isServiceLink(name, value: value) {
            let guess = NearestName.find(name, in: known.sorted()).map { "; did you mean \($0)?" } ?? ""
            contents.warnings.append("environment variable \(name) is not known and has no effect\(guess)")
        }
    }

    /// Kubernetes sets `MCP_GATEWAY_PORT=tcp://10.0.0.1:3001` and its relatives in every pod beside a Service named `mcp-gateway`.
    private func isServiceLink(_ name: String, value: String) -> Bool {
        let rest = name.dropFirst(Self.prefix.count)
        return value.hasPrefix("tcp://") || value.hasPrefix("udp://") || rest.hasPrefix("SERVICE_") || rest.hasPrefix("PORT_")
    }
}
