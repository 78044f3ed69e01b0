import GatewayCore
import Testing

@testable import GatewayConfiguration

@Suite struct ServerReadingTests {
    private func servers(_ text: String, environment: [String: String] = [:]) throws -> [ServerConfiguration] {
        try load("{\"mcpServers\": \(text)}", environment: environment).servers
    }

    private func problem(_ entry: String, environment: [String: String] = [:]) throws -> String {
        try problems("{\"mcpServers\": {\"s\": \(entry)}}", environment: environment).joined(separator: "\n")
    }

    @Test("a stdio server of the ecosystem's format is read, with defaults")
    func stdio() throws {
        let servers = try servers(
            #"{"git": {"command": "uvx", "args": ["mcp-server-git", 8080, true], "env": {"A": "b", "PORT": 1}, "type": "stdio"}}"#)
        #expect(
            servers == [
                ServerConfiguration(
                    name: "git",
                    transport: .stdio(.init(command: "uvx", args: ["mcp-server-git", "8080", "true"], env: ["A": "b", "PORT": "1"])))
            ])
        #expect(servers.first?.timeout == .seconds(60))
        #expect(servers.first?.handshakeTimeout == .seconds(30))
        #expect(servers.first?.idleTimeout == .seconds(600))
        #expect(servers.first?.isolation == .shared)
    }

    @Test(
        "every spelling of Streamable HTTP is read",
        arguments: [#""type": "http","#, #""type": "streamable-http","#, #""transport": "http","#, ""])
    func http(type: String) throws {
        let servers = try servers(
            #"{"r": {\#(type) "url": "https://example.com/mcp", "headers": {"Authorization": "Bearer ${T}"}}}"#, environment: ["T": "x"])
        #expect(servers.first?.transport == .http(.init(url: "https://example.com/mcp", headers: ["Authorization": "Bearer x"])))
    }

    @Test("the gateway's own keys are read")
    func ownKeys() throws {
        let server = try #require(
            try servers(
                """
                {"s": {"command": "x", "isolation": "session", "era": "modern", "probeTimeout": 2, "timeout": "2m", "handshakeTimeout": 5, "idleTimeout": "1h",
                 "tools": {"allow": ["read_*"], "deny": ["*_all"]}, "disabled": true}}
                """
            ).first)
        #expect(server.isolation == .session)
        #expect(server.timeout == .seconds(120))
        #expect(server.handshakeTimeout == .seconds(5))
        #expect(server.era == .modern)
        #expect(server.probeTimeout == .seconds(2))
        #expect(server.idleTimeout == .seconds(3600))
        #expect(server.tools == ToolFilter(allow: ["read_*"], deny: ["*_all"]))
        #expect(server.disabled)
    }

    @Test("servers keep the order of the file")
    func order() throws {
        #expect(try servers(#"{"z": {"command": "x"}, "a": {"command": "x"}, "m": {"command": "x"}}"#).map(\.name) == ["z", "a", "m"])
    }

    @Test("a relative working directory is relative to the file, and ~ is the home")
    func workingDirectory() throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write(
            #"{"mcpServers": {"a": {"command": "x", "cwd": "./sub/../work"}, "b": {"command": "x", "cwd": "~/p"}}}"#, to: "c.json")
        let servers = try ConfigurationLoader(configPath: file, environment: ["HOME": "/home/me"], currentDirectory: "/").load().servers
        #expect(
            servers.map(\.transport) == [
                .stdio(.init(command: "x", cwd: directory.path + "/work")), .stdio(.init(command: "x", cwd: "/home/me/p")),
            ])
    }

    @Test(
        "what makes no server is a problem that says what to do",
        arguments: [
            (#"{"comand": "x"}"#, "did you mean \"command\"?"),
            (#"{}"#, "needs \"command\""),
            (#"{"command": "x", "url": "http://a/mcp"}"#, "both \"command\" and \"url\""),
            (#"{"type": "http", "command": "x"}"#, "needs \"url\""),
            (#"{"type": "stdio", "url": "http://a/"}"#, "needs \"command\""),
            (#"{"type": "sse", "url": "http://a/sse"}"#, "old HTTP+SSE transport"),
            (#"{"type": "htpp", "url": "http://a/"}"#, "did you mean \"http\"?"),
            (#"{"type": "http", "transport": "stdio", "url": "http://a/"}"#, "disagree"),
            (#"{"url": "http://a/", "env": {}}"#, "of no use for a server of type http"),
            (#"{"command": "x", "headers": {}}"#, "of no use for a server of type stdio"),
            (#"{"url": "ftp://a/"}"#, "absolute http or https URL"),
            (#"{"url": "/mcp"}"#, "absolute http or https URL"),
            (#"{"url": "http://user:hunter2@a/"}"#, "headers.Authorization"),
            (#"{"command": ""}"#, "must not be empty"),
            (#"{"command": 5}"#, "must be a string, not a number"),
            (#"{"command": "x", "args": "a b"}"#, "must be a list of strings, not a string"),
            (#"{"command": "x", "args": [["a"]]}"#, "must be a string, not a list"),
            (#"{"command": "x", "env": ["A=b"]}"#, "must be an object of strings"),
            (#"{"command": "x", "env": {"A": null}}"#, "A: must be a string, not null"),
            (#"{"command": "x", "env": {"A=B": "c"}}"#, "must not be empty or contain"),
            (#"{"command": "x", "env": {"A": "1", "A": "2"}}"#, "there twice"),
            (#"{"url": "http://a/", "headers": {"X": "1", "x": "2"}}"#, "there twice"),
            (#"{"url": "http://a/", "headers": {"X Y": "1"}}"#, "not a header name"),
            (#"{"url": "http://a/", "headers": {"X": "a\r\nB: c"}}"#, "control characters"),
            (#"{"command": "x", "timeout": "soon"}"#, "must be a number of seconds or a duration"),
            (#"{"command": "x", "timeout": 0}"#, "within 100ms – 24h"),
            (#"{"command": "x", "timeout": "2d"}"#, "within 100ms – 24h"),
            (#"{"command": "x", "isolation": "sessions"}"#, "did you mean \"session\"?"),
            (#"{"command": "x", "tools": {"alow": []}}"#, "did you mean \"allow\"?"),
            (#"{"command": "x", "tools": ["*"]}"#, "must be an object, not a list"),
            (#"{"command": "x", "allow": []}"#, "did you mean \"mcpServers.s.tools.allow\"?"),
            (#"{"command": "x", "disabled": "yes"}"#, "must be true or false, not a string"),
            (#"{"command": "x", "command": "y"}"#, "there twice"),
            (#"{"command": "${NOPE}"}"#, "variable NOPE is not set"),
            (#"{"command": "x", "alwaysAllow": []}"#, "belongs to a client"),
            (#"{"serverUrl": "http://a/"}"#, "write \"url\""),
            (#""x""#, "must be an object, not a string"),
        ])
    func mistakes(entry: String, expected: String) throws {
        #expect(try problem(entry).contains(expected))
    }

    @Test("a mistake in a key does not make another problem out of what is missing because of it")
    func oneMistakeOneProblem() throws {
        #expect(try problems(#"{"mcpServers": {"s": {"comand": "x"}}}"#).count == 1)
        #expect(try problems(#"{"mcpServers": {"s": {"command": "${NOPE}"}}}"#).count == 1)
    }

    @Test("no message contains what may be a secret")
    func secrets() throws {
        for entry in [
            #"{"command": "x", "env": {"A": ["hunter2"]}}"#, #"{"command": "x", "env": {"A": "hunter2 ${"}}"#,
            #"{"url": "hunter2"}"#, #"{"url": "http://hunter2@a/"}"#, #"{"url": "http://a/", "headers": {"A": "hunter2\u0001"}}"#,
            #"{"command": "x", "args": ["hunter2\u0000"]}"#, #"{"command": "x", "cwd": "${S}\u0000"}"#,
            #"{"command": "x", "timeout": "${S}"}"#,
        ] {
            let text = try problem(entry, environment: ["S": "hunter2"])
            #expect(!text.isEmpty)
            #expect(!text.contains("hunter2"), "\(text)")
        }
    }

    @Test("bad and double names are problems")
    func names() throws {
        let found = try problems(
            #"{"mcpServers": {"a__b": {"command": "x"}, "environment": {"command": "x"}, "c": {"command": "x"}, "c": {"command": "x"}}}"#)
        #expect(found.count == 3)
        #expect(found[0].contains("\"__\""))
        #expect(found[1].contains("built-in"))
        #expect(found[2].contains("two servers of this name"))
    }

    @Test("unset variables of a disabled server are no problem, its typing mistakes are")
    func disabled() throws {
        #expect(try servers(#"{"s": {"command": "x", "env": {"A": "${NOPE}"}, "timeout": "${NOPE}", "disabled": true}}"#).count == 1)
        #expect(try problem(#"{"comand": "x", "disabled": true}"#).contains("did you mean"))
    }

    @Test("the description for logs has names and no values")
    func redacted() {
        let stdio = ServerConfiguration(
            name: "a", transport: .stdio(.init(command: "run", args: ["--key=hunter2"], env: ["TOKEN": "hunter2"])), disabled: true)
        #expect(stdio.redactedDescription == "a (stdio; command: run; arguments: 1; env: TOKEN; isolation: shared; disabled)")
        let http = ServerConfiguration(
            name: "b", transport: .http(.init(url: "https://u:hunter2@example.com/mcp?key=hunter2#hunter2", headers: ["X-Key": "hunter2"])))
        #expect(http.redactedDescription == "b (http; url: https://example.com/mcp?…; headers: X-Key; isolation: shared)")
    }
}
