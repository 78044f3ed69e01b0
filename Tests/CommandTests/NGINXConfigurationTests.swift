import Foundation
import GatewayConfiguration
import GatewayCore
import Testing

@testable import mcp_gateway

@Suite("The NGINX configuration")
struct NGINXConfigurationTests {
    private func configuration(_ addresses: String..., settings: GatewaySettings = GatewaySettings()) throws -> NGINXConfiguration {
        try NGINXConfiguration(settings: settings, addresses: addresses)
    }

    @Test("names the instances of the option, else of the configuration, else this gateway")
    func instances() throws {
        var settings = GatewaySettings()
        #expect(try configuration(settings: settings).instances == ["127.0.0.1:3001"])
        settings.host = "::"
        #expect(try configuration(settings: settings).instances == ["[::1]:3001"])
        settings.cluster.address = "http://a.example"
        #expect(try configuration(settings: settings).instances == ["a.example:80"])
        settings.nginx.instances = ["http://10.0.0.5:3001", "http://10.0.0.6:3001"]
        #expect(try configuration(settings: settings).instances == ["10.0.0.5:3001", "10.0.0.6:3001"])
        #expect(try configuration("http://[::1]", settings: settings).instances == ["[::1]:80"])
    }

    @Test("does not guess a port that the system is to choose")
    func unknownPort() {
        var settings = GatewaySettings()
        settings.port = 0
        #expect(throws: NGINXOptionError.self) { try NGINXConfiguration(settings: settings, addresses: []) }
    }

    @Test(
        "refuses what is no address of an instance",
        arguments: [
            "https://a:1", "a:1", "http://", "http://:1", "http://[]:1", "http://[::1", "http://a:0", "http://a:65536", "http://a:1/",
            "http://a b:1", "http://a;:1", "http://a:+1",
        ])
    func badInstance(address: String) {
        #expect(throws: NGINXOptionError.self) { try NGINXConfiguration.instance(address) }
    }

    @Test("takes bounds and times from the gateway's configuration")
    func limits() throws {
        var settings = GatewaySettings()
        settings.limits.maxBodyBytes = 5 << 20
        settings.limits.maxHeaderBytes = 64 << 10
        settings.limits.headerTimeout = .milliseconds(1500)
        settings.limits.idleTimeout = .seconds(20)
        settings.limits.maxConnections = 100
        settings.streams.keepAlive = .seconds(1800)
        settings.drainTimeout = .zero
        var configuration = try configuration("http://a:1", settings: settings)
        configuration.process = .init(pid: "/p", temporaryDirectory: "/t")
        let text = configuration.render()
        for line in [
            "client_max_body_size 5242880;", "large_client_header_buffers 8 65536;", "client_header_timeout 1500ms;",
            "        keepalive_timeout 10s;", "keepalive_timeout 20s;", "worker_connections 1024;", "    proxy_read_timeout 3600s;",
            "proxy_read_timeout 3600s;",
            "worker_shutdown_timeout 1ms;",
        ] { #expect(text.contains(line), "\(line)") }
    }

    @Test("has for each instance a pool of the others, by which a request that was handed back is handed on")
    func others() throws {
        let text = try configuration("http://10.0.0.5:1", "http://[::1]:2", "http://c.example:3").render()
        #expect(text.contains(#""~(^|[ ,])10\.0\.0\.5:1$" mcp_gateway_without_1;"#))
        #expect(text.contains(#""~(^|[ ,])\[::1\]:2$" mcp_gateway_without_2;"#))
        let pool = try #require(text.components(separatedBy: "upstream mcp_gateway_without_2 {").last?.prefix { $0 != "}" })
        #expect(pool.contains("server 10.0.0.5:1 ") && pool.contains("server c.example:3 ") && !pool.contains("::1"))
        #expect(text.contains("proxy_pass http://$mcp_gateway_others;"))
    }

    @Test("asks the only instance again where there is one")
    func one() throws {
        let text = try configuration("http://a:1").render()
        #expect(!text.contains("mcp_gateway_others") && !text.contains("_without_"))
    }

    @Test("never has a POST repeated that may have been executed")
    func noRepeatedPosts() throws {
        let text = try configuration("http://a:1", "http://b:1").render()
        let directives = text.split(separator: "\n").map { $0.drop { $0 == " " } }.filter { !$0.hasPrefix("#") }
        #expect(directives.filter { $0.hasPrefix("proxy_next_upstream ") } == ["proxy_next_upstream error timeout invalid_header;"])
        #expect(!directives.contains { $0.contains("non_idempotent") })
    }

    @Test("is a part of another configuration without a process, and has TLS with a certificate")
    func forms() throws {
        var configuration = try configuration("http://a:1")
        #expect(!configuration.render().contains("http {") && !configuration.render().contains("ssl"))
        configuration.tls = .init(certificate: "/a b.pem", key: "/k.pem")
        configuration.listen = "443"
        configuration.serverNames = ["x.example", "y.example"]
        let text = configuration.render()
        for line in [
            "listen 443 ssl http2;", #"ssl_certificate "/a b.pem";"#, "ssl_certificate_key /k.pem;", "server_name x.example y.example;",
        ] { #expect(text.contains(line), "\(line)") }
    }

    @Test("is set out: every line is indented by its depth, and none ends with a space")
    func layout() throws {
        var configuration = try configuration("http://a:1", "http://b:1")
        configuration.process = .init(pid: "/p", temporaryDirectory: "/t", accessLog: "/l", user: "me")
        var depth = 0
        for line in configuration.render().split(separator: "\n", omittingEmptySubsequences: false) where !line.isEmpty {
            #expect(!line.hasSuffix(" "))
            if line.hasSuffix("}"), !line.contains("{") { depth -= 1 }
            let indent = line.prefix { $0 == " " }.count
            #expect(indent == 4 * depth || line.contains("request=$mcp_gateway_request_id"), "\(line)")
            if line.hasSuffix("{") { depth += 1 }
        }
        #expect(depth == 0)
    }

    @Test(
        "quotes what NGINX would read otherwise",
        arguments: [
            ("/a/b.c", "/a/b.c"), ("a b", "\"a b\""), ("it's", "\"it's\""), (#"a"\"#, #""a\"\\""#), ("", "\"\""), ("a;b", "\"a;b\""),
        ])
    func quoting(text: String, quoted: String) {
        #expect(text.quotedForNGINX == quoted)
    }

    @Test("knows what NGINX can listen on, and what others can reach")
    func listening() {
        for text in ["8080", "127.0.0.1:8080", "[::1]:8080", "*:8080", "localhost:8080", "[::]:443"] {
            #expect(NGINXConfiguration.problem(withListen: text) == nil, "\(text)")
        }
        for text in ["", "0", ":8080", "70000", "a b:1", "8080;", "127.0.0.1", "unix:/x"] {
            #expect(NGINXConfiguration.problem(withListen: text) != nil, "\(text)")
        }
        #expect(["8080", "*:8080", "[::]:443", "10.0.0.1:1"].allSatisfy(NGINXConfiguration.isRemote))
        #expect(!["127.0.0.1:1", "localhost:1", "[::1]:1"].contains(where: NGINXConfiguration.isRemote))
    }

    @Test("sends the requests of a session to the instance that made it, before the others, unless that is not wanted")
    func affinity() throws {
        var configuration = try configuration("http://a:1", "http://b:2")
        let text = configuration.render()
        #expect(text.contains("\"~*^\(HomeHint(authority: "a:1"))\" mcp_gateway_at_1;"))
        #expect(text.contains("\"~*^\(HomeHint(authority: "b:2"))\" mcp_gateway_at_2;"))
        let pool = try #require(text.firstMatch(of: #/upstream mcp_gateway_at_2 \{([^}]*)\}/#)).1
        #expect(pool.contains("server b:2 max_fails=1 fail_timeout=10s;"))
        #expect(pool.contains("server a:1 max_fails=3 fail_timeout=2s backup;"))
        #expect(text.contains("location = /mcp { proxy_pass http://$mcp_gateway_home; }"))
        configuration.hasAffinity = false
        #expect(!configuration.render().contains("mcp_gateway_at_"))
        #expect(configuration.render().contains("location = /mcp { proxy_pass http://mcp_gateway; }"))
        // One has nobody to choose from.
        #expect(try self.configuration("http://a:1").render().contains("location = /mcp { proxy_pass http://mcp_gateway; }"))
    }
}
