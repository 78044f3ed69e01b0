import Foundation
import Testing

@testable import GatewayConfiguration

@Suite struct GatewayLoadingTests {
    @Test("without any source the defaults hold")
    func defaults() throws {
        let directory = try TemporaryDirectory()
        let configuration = try ConfigurationLoader(environment: ["HOME": "/home/me"], currentDirectory: directory.path).load()
        #expect(configuration.source == nil)
        #expect(configuration.servers.isEmpty)
        #expect(configuration.gateway.port == 3001)
        #expect(configuration.gateway.host == "127.0.0.1")
        #expect(configuration.gateway.store.dataDirectory == "/home/me/.local/state/mcp-gateway")
        #expect(configuration.gateway.environmentTools.repository == directory.path)
        var expected = GatewaySettings()
        expected.store.dataDirectory = configuration.gateway.store.dataDirectory
        expected.environmentTools = configuration.gateway.environmentTools
        #expect(configuration.gateway == expected)
    }

    @Test("directories and sockets of the environment are used")
    func systemDefaults() throws {
        let environment = ["XDG_STATE_HOME": "/state", "DOCKER_HOST": "unix:///run/user/1/docker.sock"]
        let gateway = try load("{}", environment: environment).gateway
        #expect(gateway.store.dataDirectory == "/state/mcp-gateway")
        #expect(gateway.environmentTools.dockerSocket == "/run/user/1/docker.sock")
        #expect(
            try load("{}", environment: ["DOCKER_HOST": "tcp://1.2.3.4:1"]).gateway.environmentTools.dockerSocket == "/var/run/docker.sock")
    }

    @Test("a flag beats a variable, a variable the file, the file the default")
    func precedence() throws {
        let file = #"{"gateway": {"port": 1, "pageSize": 1, "threads": 1}}"#
        let environment = ["MCP_GATEWAY_PORT": "2", "MCP_GATEWAY_PAGE_SIZE": "2"]
        let gateway = try load(
            file, environment: environment, overrides: [ConfigurationOverride(flag: "--port", key: "port", value: "3")]
        ).gateway
        #expect(gateway.port == 3)
        #expect(gateway.pageSize == 2)
        #expect(gateway.threads == 1)
        #expect(gateway.limits.maxNestingDepth == 512)
    }

    /// A valid value that is not the default, as text, for each kind of key.
    private func sample(_ key: ConfigurationKey) -> (text: String, json: String) {
        switch key.kind {
        case .integer(let range): ("\(range.lowerBound + 1)", "\(range.lowerBound + 1)")
        case .size(let range): ("\(range.lowerBound + 1)", "\"\(range.lowerBound + 1)B\"")
        case .duration(let range): (DurationText.format(range.upperBound), "\"\(DurationText.format(range.upperBound))\"")
        case .flag: key.defaultText == "true" ? ("false", "false") : ("yes", "true")
        case .choice(let choice):
            choice.values.last { $0 != key.defaultText }.map { ($0, "\"\($0)\"") } ?? ("", "\"\"")
        case .list(.origin): ("https://a.example,http://b.example:8080", #"["https://a.example", "http://b.example:8080"]"#)
        case .list(.httpAddress): ("http://a.example:1,http://b.example", #"["http://a.example:1", "http://b.example"]"#)
        case .list(.logLevel): ("gateway.http=debug,gateway=warning", #"["gateway.http=debug", "gateway=warning"]"#)
        case .list: ("a.example,b.example:80", #"["a.example", "b.example:80"]"#)
        case .text(.path): ("/some/where", "\"/some/where\"")
        case .text(.httpAddress): ("http://a.example:1", "\"http://a.example:1\"")
        case .text(.redisURL): ("redis://r", "\"redis://r\"")
        case .text: ("localhost", "\"localhost\"")
        case .map: ("", "{}")
        }
    }

    @Test(
        "every key works in the file, in its variables and as a flag, with the same result",
        arguments: ConfigurationKeys.gateway.map(\.path))
    func everyKey(path: String) throws {
        let key = try #require(ConfigurationKeys.gateway.first { $0.path == path })
        let binding = try #require(key.binding)
        let (text, json) = sample(key)
        let nested = path.split(separator: ".").reversed().reduce(json) { "{\"\($1)\": \($0)}" }
        let before = binding.read(try load("{}").gateway)
        let fromFile = try load("{\"gateway\": \(nested)}").gateway
        #expect(binding.read(fromFile) != before)
        for variable in key.environmentVariables {
            #expect(binding.read(try load("{}", environment: [variable: text]).gateway) == binding.read(fromFile), "\(variable)")
        }
        let flag = ConfigurationOverride(flag: "--x", key: path, value: text)
        #expect(binding.read(try load("{}", overrides: [flag]).gateway) == binding.read(fromFile))
        // Only this key changed.
        let others = ConfigurationKeys.gateway.filter { $0.path != path && $0.path != "environmentTools.repository" }
        let plain = try load("{}").gateway
        #expect(others.allSatisfy { $0.binding?.read(fromFile) == $0.binding?.read(plain) })
    }

    @Test("the names of keys and variables are unique")
    func unique() {
        let paths = ConfigurationKeys.gateway.map(\.path)
        #expect(Set(paths).count == paths.count)
        let variables = ConfigurationKeys.gateway.flatMap(\.environmentVariables)
        #expect(Set(variables).count == variables.count)
        #expect(!variables.contains(EnvironmentReader.configVariable))
    }

    @Test("the variables of the source document work")
    func sourceDocument() throws {
        let gateway = try load(
            "{}",
            environment: [
                "MCP_TRANSPORT": "stdio", "MCP_SERVER_PORT": "4000", "INSTANCE_ID": "1", "SESSION_STORE": "sqlite", "ENABLE_SSE": "false",
            ]
        ).gateway
        #expect(gateway.transport == .stdio)
        #expect(gateway.port == 4000)
        #expect(gateway.instanceID == "1")
        #expect(gateway.store.kind == .embedded)
        #expect(!gateway.enableSSE)
        #expect(try load("{}", environment: ["MCP_TRANSPORT": "sse"]).gateway.transport == .http)
        #expect(try load("{}", environment: ["SESSION_STORE": "memory"]).gateway.store.kind == .memory)
    }

    @Test("the gateway's own variable beats the source document's")
    func ownVariableWins() throws {
        #expect(try load("{}", environment: ["MCP_SERVER_PORT": "1", "MCP_GATEWAY_PORT": "2"]).gateway.port == 2)
    }

    @Test("an empty variable counts as unset")
    func emptyVariable() throws {
        #expect(try load("{}", environment: ["MCP_SERVER_PORT": "", "REDIS_URL": ""]).gateway.port == 3001)
    }

    @Test("PostgreSQL is refused with what to do")
    func refusedVariables() throws {
        let found = try problems("{}", environment: ["DATABASE_URL": "postgres://:hunter2@r"])
        #expect(found.count == 1)
        #expect(found.first?.contains("unset DATABASE_URL") == true)
        #expect(found.first?.contains("hunter2") == false)
    }

    @Test("an unknown variable is a warning, what Kubernetes sets for a Service of our name is nothing")
    func unknownVariables() throws {
        let configuration = try load(
            "{}",
            environment: [
                "MCP_GATEWAY_PROT": "1", "MCP_GATEWAY_PORT": "tcp://10.0.0.1:3001", "MCP_GATEWAY_SERVICE_HOST": "10.0.0.1",
                "MCP_GATEWAY_PORT_3001_TCP": "tcp://10.0.0.1:3001", "MCP_GATEWAY_PORT_3001_TCP_PROTO": "tcp",
                "MCP_GATEWAY_SERVICE_PORT": "3001",
            ])
        #expect(configuration.warnings.count == 1)
        #expect(configuration.warnings.first?.contains("did you mean MCP_GATEWAY_PORT?") == true)
        #expect(configuration.gateway.port == 3001)
    }

    @Test("all problems of all sources are reported at once, those of the file by line")
    func allProblems() throws {
        let found = try problems(
            """
            {
              "gateway": {
                "prot": 1,
                "port": "3001",
                "pageSize": 0,
                "streams": {"keepAlive": "1x", "kepAlive": 1},
                "store": {"kind": "postgres"},
                "enableSSE": 1,
                "keepAlive": 5,
                "log": 3
              },
              "mcpServers": {
                "a": {"comand": "x"}
              },
              "gatway": {}
            }
            """, environment: ["MCP_GATEWAY_THREADS": "many"],
            overrides: [ConfigurationOverride(flag: "--port", key: "port", value: "70000")])
        #expect(
            found == [
                "--port: gateway.port: must be within 0 – 65535, not \"70000\"",
                "MCP_GATEWAY_THREADS: gateway.threads: must be a whole number, not \"many\"",
                "3: gateway.prot: unknown key; did you mean \"port\"?",
                "4: gateway.port: must be a number, not a string",
                "5: gateway.pageSize: must be within 1 – 10000, not \"0\"",
                "6: gateway.streams.keepAlive: must be a number of seconds or a duration such as \"200ms\", \"30s\", \"10m\" or \"24h\", not \"1x\"",
                "6: gateway.streams.kepAlive: unknown key; did you mean \"keepAlive\"?",
                "7: gateway.store.kind: must be one of embedded, redis, memory, not \"postgres\"",
                "8: gateway.enableSSE: must be true or false, not a number",
                "9: gateway.keepAlive: unknown key here; did you mean \"gateway.streams.keepAlive\"?",
                "10: gateway.log: must be an object, not a number",
                "13: mcpServers.a.comand: unknown key; did you mean \"command\"?",
                "15: gatway: unknown key; did you mean \"gateway\"?",
            ])
    }

    @Test("the problem of a host that others can reach has its place among those of the file")
    func hostProblemIsInOrder() throws {
        let text = "{\n\"gateway\": {\n\"host\": \"0.0.0.0\",\n\"port\": -1\n}}"
        #expect(try problems(text).map { $0.prefix(15) } == ["3: gateway.host:", "4: gateway.port:"].map { $0.prefix(15) })
        #expect(try problems(text, overrides: [.init(flag: "--host", key: "host", value: "0.0.0.0")]).first?.hasPrefix("--host") == true)
    }

    @Test("a problem is one line whatever the file holds")
    func controlCharactersAreShown() throws {
        let error = try #require(throws: ConfigurationError.self) { try load(#"{"a\nb\u001b[31m": 1, "gateway": {"colour": "\u2028"}}"#) }
        #expect(error.problems.count == 2)
        #expect(error.problems.allSatisfy { !$0.description.contains(where: \.isNewline) && !$0.description.contains("\u{1B}") })
        #expect(error.problems.first?.description.contains(#"a\u{a}b\u{1b}[31m"#) == true)
    }

    @Test("a character that YAML does not allow is reported with its line")
    func controlCharacterInYAML() throws {
        #expect(
            try problems("gateway:\n  port: 1\n  colour: \u{1}\n", as: "a.yaml") == [
                "3: the file is not valid YAML: control characters are not allowed (U+1)"
            ])
    }

    @Test("problems of a YAML file have their lines too")
    func yamlProblems() throws {
        let found = try problems("gateway:\n  prot: 1\n\nmcpServers:\n  a:\n    command: x\n    timeout: soon\n", as: "c.yaml")
        #expect(found.count == 2)
        #expect(found.first == "2: gateway.prot: unknown key; did you mean \"port\"?")
        #expect(found.last?.hasPrefix("7: mcpServers.a.timeout:") == true)
    }

    @Test("numbers and booleans may come from variables")
    func expandedNumbers() throws {
        let text = #"{"gateway": {"port": "${PORT:-4000}", "enableSSE": "${SSE}", "log": {"level": "${LEVEL:-debug}"}}}"#
        let gateway = try load(text, environment: ["SSE": "false"]).gateway
        #expect(gateway.port == 4000)
        #expect(!gateway.enableSSE)
        #expect("\(gateway.log.level)" == "debug")
        let found = try problems(#"{"gateway": {"port": "${PORT}"}}"#, environment: ["PORT": "hunter2"])
        #expect(found == ["1: gateway.port: after expansion of \"${PORT}\" the value must be a whole number"])
    }

    @Test("a host that others can reach is refused unless asked for by name")
    func remote() throws {
        let found = try problems(#"{"gateway": {"host": "0.0.0.0"}}"#)
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("1: gateway.host: 0.0.0.0 can be reached from other machines") == true)
        #expect(try problems("{}", environment: ["MCP_GATEWAY_HOST": "::"]).first?.hasPrefix("MCP_GATEWAY_HOST: gateway.host") == true)
        #expect(
            try problems("{}", overrides: [ConfigurationOverride(flag: "--host", key: "host", value: "example.com")])
                .first?.hasPrefix("--host: gateway.host") == true)
        #expect(try load(#"{"gateway": {"host": "0.0.0.0", "insecureAllowRemote": true}}"#).gateway.host == "0.0.0.0")
        #expect(try load(#"{"gateway": {"host": "0.0.0.0", "transport": "stdio"}}"#).gateway.transport == .stdio)
        for host in ["localhost", "::1", "127.0.0.1", "127.3.2.1"] {
            #expect(try load(#"{"gateway": {"host": "\#(host)"}}"#).gateway.host == host)
        }
        #expect(!GatewaySettings.isLoopback("127.evil.example.com"))
        #expect(!GatewaySettings.isLoopback("127.0.0.1.example.com"))
    }

    @Test(
        "origins and hosts that would open the gateway to every web page are refused",
        arguments: ["*", "null", "https://*.example.com", "example.com", "https://a/b"])
    func origins(origin: String) throws {
        #expect(try problems(#"{"gateway": {"allowedOrigins": ["\#(origin)"]}}"#).count == 1)
        #expect(try problems(#"{"gateway": {"allowedHosts": ["*"]}}"#).count == 1)
    }

    @Test("the file is found by flag, by variable, or by its default name")
    func locating() throws {
        let directory = try TemporaryDirectory()
        let environment = ["HOME": "/home/me"]
        var loader = ConfigurationLoader(environment: environment, currentDirectory: directory.path)
        try directory.write("{}", to: ".mcp.json")
        #expect(loader.locate() == nil)
        try directory.write("{}", to: "mcp-gateway.yml")
        #expect(loader.locate() == directory.path + "/mcp-gateway.yml")
        try directory.write("{}", to: "mcp-gateway.yaml")
        #expect(loader.locate() == directory.path + "/mcp-gateway.yaml")
        try directory.write("{}", to: "mcp-gateway.json")
        #expect(loader.locate() == directory.path + "/mcp-gateway.json")
        loader.environment["MCP_GATEWAY_CONFIG"] = "other.json"
        #expect(loader.locate() == directory.path + "/other.json")
        loader.configPath = "/etc/third.yaml"
        #expect(loader.locate() == "/etc/third.yaml")
    }

    @Test("a file that cannot be used is one clear problem")
    func unusable() throws {
        let directory = try TemporaryDirectory()
        func message(_ path: String) throws -> String {
            do {
                _ = try ConfigurationLoader(configPath: path, environment: [:], currentDirectory: directory.path).load()
                return ""
            } catch {
                return error.description
            }
        }
        #expect(try message("none.json") == "\(directory.path)/none.json: there is no such file")
        #expect(try message(directory.path) == "\(directory.path): this is a directory; name a file")
        try directory.write(" \n", to: "empty.json")
        #expect(try message("empty.json").contains("the file is empty"))
        try directory.write("# nothing\n", to: "empty.yaml")
        #expect(try message("empty.yaml").contains("the file is empty"))
        try Data([0x7B, 0xFF, 0x7D]).write(to: URL(fileURLWithPath: directory.path + "/binary.json"))
        #expect(try message("binary.json").contains("not UTF-8"))
        try directory.write("{\n  \"gateway\": {},\n}", to: "comma.json")
        #expect(try message("comma.json") == "\(directory.path)/comma.json:3: JSON allows no comma before the closing bracket")
        try directory.write("[]", to: "list.json")
        #expect(try message("list.json").contains("must hold an object"))
    }

    @Test("keys that begin with x- and $schema are the user's own")
    func extensionKeys() throws {
        #expect(try load(#"{"$schema": "x", "x-common": {"a": 1}, "gateway": null, "mcpServers": null}"#).servers.isEmpty)
    }

    @Test("the data directory is created for its owner only")
    func dataDirectory() throws {
        let directory = try TemporaryDirectory()
        var store = StoreSettings()
        store.dataDirectory = directory.path + "/a/b"
        try store.prepareDataDirectory()
        try store.prepareDataDirectory()
        let attributes = try FileManager.default.attributesOfItem(atPath: store.dataDirectory)
        #expect(attributes[.posixPermissions] as? Int == 0o700)
        try directory.write("", to: "file")
        store.dataDirectory = directory.path + "/file/b"
        #expect(throws: ConfigurationError.self) { try store.prepareDataDirectory() }
        store.kind = .memory
        try store.prepareDataDirectory()
    }

    @Test(
        "an instance id is made of any host name", arguments: [("web-1.example", "web-1.example"), ("büro pc", "b-ro-pc"), ("", "gateway")])
    func instanceID(hostName: String, expected: String) {
        #expect(SystemDefaults.instanceID(hostName: hostName) == expected)
        #expect(TextRule.instanceID.problem(with: expected) == nil)
    }
}
