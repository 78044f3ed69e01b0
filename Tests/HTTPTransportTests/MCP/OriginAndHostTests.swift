import NIOHTTP1
import Testing

@testable import HTTPTransport

@Suite("Who may call: Origin and Host")
struct OriginAndHostTests {
    private func rules(_ change: (inout HTTPTransportSettings) -> Void = { _ in }) -> MCPRequestRules {
        var settings = HTTPTransportSettings()
        change(&settings)
        return MCPRequestRules(settings)
    }

    private func passes(_ check: () throws(Refusal) -> Void) -> Bool {
        do throws(Refusal) {
            try check()
            return true
        } catch {
            #expect(error.status == .forbidden)
            return false
        }
    }

    @Test(
        "without a list, pages of this machine may call, and what is no page",
        arguments: [
            (nil, true), ("http://localhost", true), ("http://localhost:5173", true), ("https://127.0.0.1:8443", true),
            ("http://[::1]:3000", true), ("HTTP://LocalHost:1", true), ("vscode-webview://localhost", true),
            ("null", false), ("", false), ("http://evil.example", false), ("http://localhost.evil.example", false),
            ("http://evil.example/localhost", false), ("http://127.0.0.1.nip.io", false), ("http://127.0.0.10", false),
            ("http://192.168.1.2", false), ("http://0.0.0.0", false), ("http://notlocalhost", false), ("localhost", false),
            ("http://[::2]", false), ("http://[::ffff:127.0.0.1]", false),
        ] as [(String?, Bool)])
    func originWithoutList(origin: String?, isAllowed: Bool) {
        let rules = rules()
        #expect(passes { () throws(Refusal) in try rules.checkOrigin(origin) } == isAllowed)
    }

    @Test(
        "with a list, only its pages may call, in any case",
        arguments: [
            ("https://app.example.com", true), ("HTTPS://App.Example.com", true), ("https://app.example.com:443", false),
            ("http://app.example.com", false), ("http://localhost", false), (nil, true), ("null", false),
        ] as [(String?, Bool)])
    func originWithList(origin: String?, isAllowed: Bool) {
        let rules = rules { $0.allowedOrigins = ["https://APP.example.com"] }
        #expect(passes { () throws(Refusal) in try rules.checkOrigin(origin) } == isAllowed)
    }

    @Test("a star in the list lets every page call")
    func originStar() {
        let rules = rules { $0.allowedOrigins = ["*"] }
        #expect(passes { () throws(Refusal) in try rules.checkOrigin("https://anything.example") })
    }

    @Test(
        "bound to loopback, names that others can point to this machine are refused (DNS rebinding)",
        arguments: [
            (nil, true), ("localhost", true), ("localhost:3001", true), ("LOCALHOST:3001", true), ("127.0.0.1", true),
            ("127.0.0.1:3001", true),
            ("[::1]", true), ("[::1]:3001", true),
            ("evil.example", false), ("evil.example:3001", false), ("localhost.evil.example", false), ("127.0.0.1.nip.io:3001", false),
            ("localtest.me", false), ("", false), ("0.0.0.0:3001", false), ("[::]:3001", false), ("169.254.169.254", false),
        ] as [(String?, Bool)])
    func hostOnLoopback(host: String?, isAllowed: Bool) {
        let rules = rules()
        #expect(passes { () throws(Refusal) in try rules.checkHost(host) } == isAllowed)
    }

    @Test("the address it is bound to is served")
    func hostOfTheBind() {
        let rules = rules { $0.host = "127.0.0.2" }
        #expect(passes { () throws(Refusal) in try rules.checkHost("127.0.0.2:3001") })
    }

    @Test("text after a bracketed address is no part of a local name", arguments: ["[::1].evil.example", "[::1]evil:3001"])
    func bracketTail(host: String) {
        let rules = rules()
        #expect(!passes { () throws(Refusal) in try rules.checkHost(host) })
    }

    @Test("text after a port is no part of a local name", arguments: ["localhost:x.evil.example", "localhost:1@evil.example"])
    func portTail(host: String) {
        let rules = rules()
        #expect(!passes { () throws(Refusal) in try rules.checkOrigin("http://" + host) })
    }

    @Test("bound to all addresses without a list, every name is served", arguments: ["gateway.example.com", "10.0.0.1:3001"])
    func hostElsewhere(host: String) {
        let rules = rules { $0.host = "0.0.0.0" }
        #expect(passes { () throws(Refusal) in try rules.checkHost(host) })
    }

    @Test(
        "with a list, a name without port matches every port, one with port only that",
        arguments: [
            ("gateway.example.com", true), ("gateway.example.com:8443", true), ("Gateway.Example.COM:1", true),
            ("other.example.com", false),
            ("api.example.com:8443", true), ("api.example.com", false), ("api.example.com:8444", false), ("localhost", false),
            ("[2001:db8::1]", true), ("[2001:db8::1]:3001", true), ("[2001:db8::2]", false),
        ])
    func hostList(host: String, isAllowed: Bool) {
        let rules = rules { $0.allowedHosts = ["gateway.example.com", "api.example.com:8443", "[2001:db8::1]"] }
        #expect(passes { () throws(Refusal) in try rules.checkHost(host) } == isAllowed)
    }

    @Test(
        "loopback addresses are known as such",
        arguments: [
            ("127.0.0.1", true), ("127.1.2.3", true), ("localhost", true), ("::1", true), ("0.0.0.0", false), ("::", false),
            ("10.0.0.1", false),
        ])
    func loopback(host: String, expected: Bool) {
        var settings = HTTPTransportSettings()
        settings.host = host
        #expect(settings.isLoopback == expected)
    }
}
