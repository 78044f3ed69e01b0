import RedisServers
import Foundation
import NIOCore
import Testing

@testable import RESP

extension RealServerTests {
    @Suite("How a client logs in", .timeLimit(.minutes(2)))
    struct LoginTests {
        private func configuration(_ url: String, caFile: String? = nil) throws -> RedisConfiguration {
            var configuration = try RedisConfiguration(url: url, caFile: caFile)
            configuration.commandTimeout = .seconds(5)
            configuration.clientName = "gateway-1"
            return configuration
        }

        @Test("with a password, into a database, under a name")
        func password() async throws {
            let server = try await RedisServer.start { _ in ["requirepass s3cret"] }
            try await withClient(configuration("redis://:s3cret@127.0.0.1:\(server.port)/3")) { client async throws in
                _ = try await client.send(RedisCommand("SET", "k", "v"))
                #expect(try server.run("-n", "3", "GET", "k", password: "s3cret") == "v")
                #expect(try await client.text(RedisCommand("CLIENT", "GETNAME")) == "gateway-1")
            }
        }

        @Test("as a user of an access control list, which the server enforces")
        func accessControl() async throws {
            let server = try await RedisServer.start { _ in ["user default off", "user me on >p%40s ~mine:* &* +@all -@dangerous"] }
            try await withClient(configuration("redis://me:p%2540s@127.0.0.1:\(server.port)")) { client async throws in
                #expect(try await client.text(RedisCommand("SET", "mine:k", "v")) == "OK")
                guard case .server(let error) = await failure({ try await client.send(RedisCommand("SET", "other", "v")) }) else {
                    Issue.record("it may write everywhere")
                    return
                }
                #expect(error.code == "NOPERM")
            }
        }

        @Test(
            "and is refused with a wrong password or none, which is told at once and without the password",
            arguments: [
                ("redis://:wr0ng-secret@", "refuses"), ("redis://nobody:wr0ng-secret@", "refuses"), ("redis://", "asks for a password"),
            ])
        func refused(prefix: String, reason: String) async throws {
            let server = try await RedisServer.start { _ in ["requirepass s3cret"] }
            let log = Recorder<String>()
            var configuration = try configuration("\(prefix)127.0.0.1:\(server.port)")
            configuration.commandTimeout = .seconds(60)
            try await withClient(configuration, logger: .recording(into: log)) { client async throws in
                let start = ContinuousClock.now
                guard case .refused(let told) = await failure({ try await client.send(RedisCommand("PING")) }) else {
                    Issue.record("it is let in, or waits for it")
                    return
                }
                #expect(ContinuousClock.now - start < .seconds(20))
                #expect(told.contains(reason))
                #expect("\(client.state)".contains(reason))
                #expect(!log.values.isEmpty)
                #expect(!(log.values + ["\(client.state)", told]).contains { $0.contains("wr0ng") })
                // The password is set right meanwhile.
                try server.run("ACL", "SETUSER", "default", "nopass", password: "s3cret")
                try server.run("ACL", "SETUSER", "nobody", "on", "nopass", "+@all", "~*", password: "s3cret")
                try await client.connected()
                #expect(try await client.send(RedisCommand("PING"), timeout: .seconds(5)).text == "PONG")
                // Who was let in once waits for being let in again.
                try server.run("CONFIG", "SET", "requirepass", "an0ther")
                try server.run("ACL", "SETUSER", "nobody", "off", password: "an0ther")
                try server.run("CLIENT", "KILL", "TYPE", "normal", password: "an0ther")
                try await eventually("the connection is gone") { !client.state.isConnected }
                #expect(
                    await failure { try await client.send(RedisCommand("PING"), timeout: .milliseconds(300)) } == .timeout(wasSent: false))
            }
        }

        @Test("and is refused where its user may not use the database, or there is none of that number")
        func database() async throws {
            let server = try await RedisServer.start { _ in ["databases 4", "user me on >pw ~* &* +@all -select"] }
            for (url, reason) in [
                ("redis://127.0.0.1:\(server.port)/4", "out of range"), ("redis://me:pw@127.0.0.1:\(server.port)/1", "NOPERM"),
            ] {
                try await withClient(configuration(url)) { client async throws in
                    let error = await failure { try await client.send(RedisCommand("PING")) }
                    #expect(error.map { "\($0)".contains(reason) && !$0.mayHaveBeenExecuted } == true, "\(String(describing: error))")
                }
            }
        }

        @Test("in RESP2 where the server does not know HELLO")
        func resp2() async throws {
            let server = try await RedisServer.start { _ in ["rename-command HELLO \"\"", "requirepass s3cret"] }
            let log = Recorder<String>()
            try await withClient(configuration("redis://:s3cret@127.0.0.1:\(server.port)/1"), logger: .recording(into: log)) {
                client async throws in
                _ = try await client.send(RedisCommand("HSET", "h", "a", 1, "b", 2))
                let hash = try await client.send(RedisCommand("HGETALL", "h"))
                guard case .array = hash else {
                    Issue.record("RESP2 has no maps")
                    return
                }
                #expect(hash.entries?.compactMap(\.value.int) == [1, 2])
                #expect(try await client.send(RedisCommand("GET", "none")) == .null)
                #expect(try await client.text(RedisCommand("CLIENT", "GETNAME")) == "gateway-1")
                #expect(log.values.contains { $0.contains("RESP2") })
                #expect(!log.values.contains { $0.contains("s3cret") })
            }
        }

        @Test("encrypted, if the certificate is of the file's authority and of the server's name or address")
        func encrypted() async throws {
            let server = try await RedisServer.start(tls: true) { directory in
                try Certificates.make(in: directory)
                return [
                    "tls-cert-file \(directory)/server.pem", "tls-key-file \(directory)/server.key", "tls-ca-cert-file \(directory)/ca.pem",
                    "tls-auth-clients no", "requirepass s3cret",
                ]
            }
            let authority = "\(server.directory)/ca.pem"
            for host in ["127.0.0.1", "localhost"] {
                try await withClient(configuration("rediss://:s3cret@\(host):\(server.port)", caFile: authority)) { client async throws in
                    let big = RedisArgument.text(String(repeating: "x", count: 1 << 20))
                    #expect(try await client.text(RedisCommand("SET", "k", big)) == "OK")
                    #expect(try await client.send(RedisCommand("GET", "k")).bytes?.readableBytes == 1 << 20)
                }
            }
            try Certificates.makeAuthority(named: "other", in: server.directory)
            for caFile in [nil, "\(server.directory)/other.pem"] {
                var configuration = try configuration("rediss://:s3cret@127.0.0.1:\(server.port)", caFile: caFile)
                configuration.commandTimeout = .milliseconds(500)
                try await withClient(configuration) { client async throws in
                    #expect(await failure { try await client.send(RedisCommand("PING")) } == .timeout(wasSent: false))
                    try await eventually("the reason is known") { "\(client.state)".contains("TLS") }
                }
            }
        }

        @Test("and a frozen server behind TLS is given up in the same time")
        func frozenEncrypted() async throws {
            let server = try await RedisServer.start(tls: true) { directory in
                try Certificates.make(in: directory)
                return [
                    "tls-cert-file \(directory)/server.pem", "tls-key-file \(directory)/server.key", "tls-ca-cert-file \(directory)/ca.pem",
                    "tls-auth-clients no",
                ]
            }
            var configuration = try configuration("rediss://127.0.0.1:\(server.port)", caFile: "\(server.directory)/ca.pem")
            configuration.pingInterval = .milliseconds(100)
            configuration.silenceLimit = .milliseconds(300)
            try await withClient(configuration) { client async throws in
                try await client.connected()
                let start = ContinuousClock.now
                server.freeze()
                try await eventually("it is noticed") { !client.state.isConnected }
                #expect(ContinuousClock.now - start < .seconds(6))
                server.thaw()
                #expect(try await client.text(RedisCommand("ECHO", "x")) == "x")
            }
        }
    }
}

/// Certificates that live as long as a test.
enum Certificates {
    /// An authority (`ca.pem`) and a server's certificate from it (`server.pem`, `server.key`) for localhost and 127.0.0.1.
    static func make(in directory: String) throws {
        try makeAuthority(named: "ca", in: directory)
        try openssl(
            "req", "-newkey", "rsa:2048", "-nodes", "-keyout", "\(directory)/server.key", "-out", "\(directory)/server.csr", "-subj",
            "/CN=localhost")
        try Data("subjectAltName=DNS:localhost,IP:127.0.0.1\n".utf8).write(to: URL(fileURLWithPath: "\(directory)/extensions"))
        try openssl(
            "x509", "-req", "-in", "\(directory)/server.csr", "-CA", "\(directory)/ca.pem", "-CAkey", "\(directory)/ca.key",
            "-CAcreateserial", "-days",
            "2", "-extfile", "\(directory)/extensions", "-out", "\(directory)/server.pem")
    }

    static func makeAuthority(named name: String, in directory: String) throws {
        try openssl(
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "\(directory)/\(name).key", "-out",
            "\(directory)/\(name).pem",
            "-subj", "/CN=\(name)")
    }

    private static func openssl(_ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw RedisServer.Failure(description: "openssl \(arguments.first ?? "") failed") }
    }
}
