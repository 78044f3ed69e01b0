import Testing

@testable import HTTPTransport

@Suite("Addresses of instances")
struct PeerAddressTests {
    @Test(
        "host and port are read",
        arguments: [
            ("http://10.0.0.5:3001", "10.0.0.5:3001"), ("http://gw-1", "gw-1:80"), ("http://[::1]:3001/", "[::1]:3001"),
            ("http://[fe80::1]", "[fe80::1]:80"), ("http://host:3001/path", "host:3001"),
        ])
    func reads(url: String, authority: String) {
        #expect(PeerAddress(url)?.authority == authority)
    }

    @Test(
        "what is no such address is none",
        arguments: ["https://host:1", "host:1", "http://", "http://:80", "http://a:b", "http://[::1", "http://a:1:2"])
    func refuses(url: String) {
        #expect(PeerAddress(url) == nil)
    }
}
