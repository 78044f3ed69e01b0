import GatewayCore
import Testing

@Suite("Addresses of instances")
struct InstanceAddressTests {
    @Test(
        "host and port are read",
        arguments: [
            ("http://10.0.0.5:3001", "10.0.0.5:3001"), ("http://gw-1", "gw-1:80"), ("http://[::1]:3001", "[::1]:3001"),
            ("http://[fe80::1]", "[fe80::1]:80"), ("http://gw_1.example:65535", "gw_1.example:65535"),
        ])
    func reads(url: String, authority: String) throws {
        #expect(try InstanceAddress(url).authority == authority)
    }

    @Test(
        "what is no such address is none",
        arguments: [
            "host:1", "http://", "http://:80", "http://a:b", "http://a:", "http://a:0", "http://a:65536", "http://a:+1", "http://[::1",
            "http://[]", "http://[::1]x", "http://a:1:2", "http://[fe80::1%eth0]:1", "http://a;b", "http://ä", "http://user@a", "http://a/",
            "http://host:3001/path", "ftp://a", "",
        ])
    func refuses(url: String) {
        #expect(throws: InstanceAddress.Problem.malformed) { try InstanceAddress(url) }
    }

    @Test(
        "an address that stands for every machine is none",
        arguments: [
            "http://0.0.0.0:3001", "http://0.0.0.0", "http://0:1", "http://[::]:3001", "http://[0:0:0:0:0:0:0:0]:1", "http://[::0.0.0.0]",
        ])
    func unspecified(url: String) {
        #expect(throws: InstanceAddress.Problem.unspecified) { try InstanceAddress(url) }
    }

    @Test("an address with TLS is refused with the reason")
    func encrypted() {
        #expect(throws: InstanceAddress.Problem.encrypted) { try InstanceAddress("https://host:1") }
    }
}
