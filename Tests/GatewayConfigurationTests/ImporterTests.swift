import Foundation
import Testing

@testable import GatewayConfiguration

@Suite struct ImporterTests {
    private func merge(_ text: String, into target: String? = nil, force: Bool = false) throws -> ImportResult {
        try ClientConfigurationImporter(replacesExisting: force).merge(text, path: "client.json", into: target, targetPath: "ours.json")
    }

    /// The outcome as the gateway reads it.
    private func servers(_ result: ImportResult, environment: [String: String] = [:]) throws -> [ServerConfiguration] {
        try load(result.text, environment: environment).servers
    }

    @Test("a Claude configuration is taken over in its order, unknown parts of the file apart")
    func claude() throws {
        let result = try merge(
            #"{"globalShortcut": "x", "mcpServers": {"time": {"command": "uvx", "args": ["mcp-server-time"]}, "a": {"command": "b", "env": {"N": "1"}}}}"#
        )
        #expect(result.added == ["time", "a"])
        #expect(result.notes.isEmpty)
        #expect(try servers(result).map(\.name) == ["time", "a"])
        #expect(
            result.text == """
                {
                  "mcpServers": {
                    "time": {
                      "command": "uvx",
                      "args": ["mcp-server-time"]
                    },
                    "a": {
                      "command": "b",
                      "env": {
                        "N": "1"
                      }
                    }
                  }
                }

                """)
    }

    @Test("a VS Code file with comments, inputs and editor variables is converted, and says what to set")
    func visualStudioCode() throws {
        let result = try merge(
            """
            {
              // for the team
              "inputs": [{"type": "promptString", "id": "github-token", "password": true}],
              "servers": {
                "github": {"type": "http", "url": "https://example.com/mcp", "headers": {"Authorization": "Bearer ${input:github-token}"}},
                "files": {"type": "stdio", "command": "fs", "args": ["${workspaceFolder}/src", "${env:EXTRA}", "${userHome}"], "envFile": ".env",},
              },
            }
            """)
        #expect(result.added == ["github", "files"])
        let environment = ["GITHUB_TOKEN": "t", "WORKSPACE_FOLDER": "/w", "EXTRA": "e", "HOME": "/h"]
        let servers = try servers(result, environment: environment)
        #expect(servers.first?.transport == .http(.init(url: "https://example.com/mcp", headers: ["Authorization": "Bearer t"])))
        #expect(servers.last?.transport == .stdio(.init(command: "fs", args: ["/w/src", "e", "/h"])))
        let notes = result.notes.map(\.description)
        #expect(notes.contains { $0.contains("github: ${input:github-token} became ${GITHUB_TOKEN}") })
        #expect(notes.contains { $0.contains("files: ${workspaceFolder} became ${WORKSPACE_FOLDER}") })
        #expect(notes.contains { $0.contains("\"envFile\" was left out") })
        #expect(notes.count == 3)
    }

    @Test(
        "VS Code settings with mcp.servers are read too",
        arguments: [#"{"mcp": {"servers": {"a": {"command": "x"}}}}"#, #"{"mcp.servers": {"a": {"command": "x"}}}"#])
    func settings(text: String) throws {
        #expect(try merge(text).added == ["a"])
    }

    @Test("what the gateway cannot use is skipped with a note, the rest is taken")
    func skipped() throws {
        let result = try merge(
            """
            {"mcpServers": {
              "old": {"type": "sse", "url": "https://a.example/sse"},
              "empty": {},
              "text": "x",
              "self1": {"command": "/usr/local/bin/mcp-gateway", "args": ["connect", "http://127.0.0.1:3001/mcp"]},
              "self2": {"url": "http://localhost:3001/mcp"},
              "self3": {"url": "http://127.0.0.1:3001/servers/git/mcp"},
              "near": {"url": "http://localhost:3002/mcp"},
              "twice": {"command": "a"}, "twice": {"command": "b"},
              "good": {"command": "x", "alwaysAllow": ["a"], "timeout": 60000}
            }}
            """)
        #expect(result.added == ["near", "twice", "good"])
        let skipped = result.notes.filter { $0.kind == .skipped }.map(\.server)
        #expect(skipped == ["old", "text", "self1", "self2", "self3", "twice", "empty"].sorted { a, b in order(a) < order(b) })
        #expect(result.notes.filter { $0.kind == .changed }.map(\.server) == ["good", "good"])
    }

    private func order(_ name: String) -> Int {
        ["old", "empty", "text", "self1", "self2", "self3", "twice"].firstIndex(of: name) ?? 99
    }

    @Test("the gateway recognises itself on the port of the target file")
    func ownPort() throws {
        let result = try merge(#"{"mcpServers": {"me": {"url": "http://[::1]:9999/mcp"}}}"#, into: #"{"gateway": {"port": 9999}}"#)
        #expect(result.added.isEmpty)
    }

    @Test("other servers and settings of the target stay as they are, in their order")
    func mergeKeeps() throws {
        let target = #"{"gateway": {"port": 4000}, "mcpServers": {"b": {"command": "b", "timeout": 1.50}}, "x-mine": [1]}"#
        let result = try merge(
            #"{"mcpServers": {"a": {"command": "a"}, "b": {"command": "b", "timeout": 3}}}"#.replacingOccurrences(
                of: #", "timeout": 3"#, with: ""), into: target, force: true)
        #expect(result.added == ["a"])
        #expect(result.replaced == ["b"])
        let root = try JSONDocumentParser.parse(result.text, allowsComments: false)
        #expect(root.members?.map(\.key) == ["gateway", "mcpServers", "x-mine"])
        #expect(root["mcpServers"]?.members?.map(\.key) == ["b", "a"])
    }

    @Test("a name that is taken by another server is refused without force; the same server is no clash")
    func clash() throws {
        let target = #"{"mcpServers": {"a": {"command": "mine"}, "same": {"command": "x"}}}"#
        #expect { try merge(#"{"mcpServers": {"a": {"command": "theirs"}}}"#, into: target) } throws: {
            ($0 as? ImportError)?.message.contains("same name: a.") == true
        }
        let result = try merge(#"{"mcpServers": {"same": {"command": "x"}}}"#, into: target)
        #expect(result.unchanged == ["same"])
        #expect(result.added.isEmpty)
        let forced = try merge(#"{"mcpServers": {"a": {"command": "theirs"}}}"#, into: target, force: true)
        #expect(forced.replaced == ["a"])
        #expect(try servers(forced).first?.transport == .stdio(.init(command: "theirs")))
    }

    @Test("importing twice changes nothing")
    func idempotent() throws {
        let text = #"{"mcpServers": {"My Server!": {"command": "x", "args": ["$5", "${workspaceFolder}"]}, "b": {"command": "y"}}}"#
        let once = try merge(text)
        let twice = try merge(text, into: once.text)
        #expect(twice.text == once.text)
        #expect(twice.unchanged == once.added)
    }

    @Test(
        "names that are not valid are made so",
        arguments: [
            ("My Server!", "My-Server"), ("a__b", "a_b"), ("environment", "environment-2"), ("@scope/pkg", "scope-pkg"), ("é", "server"),
            ("_", "server"), (String(repeating: "x", count: 80), String(repeating: "x", count: 64)), ("ok", "ok"),
        ])
    func slug(name: String, expected: String) {
        #expect(ServerNameSlug.make(name, taken: []) == expected)
        #expect(ServerName.problem(with: expected) == nil)
    }

    @Test("names that become the same are told apart")
    func slugCollision() throws {
        let result = try merge(#"{"mcpServers": {"a b": {"command": "1"}, "a!b": {"command": "2"}, "a-b": {"command": "3"}}}"#)
        #expect(result.added == ["a-b-2", "a-b-3", "a-b"])
        #expect(result.notes.count == 2)
    }

    @Test("dollar signs mean the same after the import")
    func dollars() throws {
        for text in ["$5", "$$", "pa$$word", "a${", "${not a name}", "${foo:bar}"] {
            var variables = EditorVariables()
            #expect(try VariableExpansion.expand(variables.convert(text), environment: [:]) == text)
        }
    }

    @Test("secrets stay as they are, with a hint that does not repeat them")
    func secrets() throws {
        let result = try merge(
            #"{"mcpServers": {"a": {"command": "x", "env": {"API_KEY": "hunter2", "OTHER_TOKEN": "${OTHER}", "PATH": "/bin", "MODE": "fast"}}}}"#
        )
        #expect(result.text.contains("hunter2"))
        #expect(result.notes.map(\.kind) == [.hint])
        #expect(result.notes.first?.message.contains("${API_KEY}") == true)
        #expect(result.notes.first?.message.contains("hunter2") == false)
    }

    @Test(
        "what cannot be read is refused with its place",
        arguments: [("{", "client.json:1: "), ("{}", "there is no \"mcpServers\""), (#"{"mcpServers": []}"#, "there is no \"mcpServers\"")])
    func unreadable(text: String, expected: String) {
        #expect { try merge(text) } throws: { ($0 as? ImportError)?.message.contains(expected) == true }
        #expect { try merge(#"{"mcpServers": {}}"#, into: "{,}") } throws: {
            ($0 as? ImportError)?.message.hasPrefix("ours.json:1:") == true
        }
    }

    @Test("a new file is for its owner only, an existing one keeps its mode, links stay links")
    func writing() throws {
        let directory = try TemporaryDirectory()
        let manager = FileManager.default
        func mode(_ name: String) throws -> Int? {
            try manager.attributesOfItem(atPath: directory.path + "/" + name)[.posixPermissions] as? Int
        }
        try ImportTarget.write("{}\n", to: directory.path + "/new.json")
        #expect(try mode("new.json") == 0o600)
        try manager.setAttributes([.posixPermissions: 0o640], ofItemAtPath: directory.path + "/new.json")
        try manager.createSymbolicLink(atPath: directory.path + "/link.json", withDestinationPath: "new.json")
        try ImportTarget.write("{\"a\": 1}\n", to: directory.path + "/link.json")
        #expect(try mode("new.json") == 0o640)
        #expect(try ImportTarget.read(directory.path + "/new.json") == "{\"a\": 1}\n")
        #expect(try manager.destinationOfSymbolicLink(atPath: directory.path + "/link.json") == "new.json")
        #expect(try manager.contentsOfDirectory(atPath: directory.path).sorted() == ["link.json", "new.json"])
        #expect(try ImportTarget.read(directory.path + "/none.json") == nil)
        #expect(throws: ImportError.self) { try ImportTarget.write("", to: directory.path + "/none/x.json") }
    }
}
