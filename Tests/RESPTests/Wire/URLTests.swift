import Testing

@testable import RESP

@Suite("URLs of Redis")
struct URLTests {
    @Test(
        "of a server",
        arguments: [
            ("redis://localhost", RedisAddress(host: "localhost", port: 6379), nil, 0),
            ("redis://10.0.0.1:7000/", RedisAddress(host: "10.0.0.1", port: 7000), nil, 0),
            ("REDIS://h/3", RedisAddress(host: "h", port: 6379), nil, 3),
            ("redis://[::1]:7000/1", RedisAddress(host: "::1", port: 7000), nil, 1),
            ("redis://[::1]", RedisAddress(host: "::1", port: 6379), nil, 0),
            ("redis://:pw@h", RedisAddress(host: "h", port: 6379), RedisCredentials(password: "pw"), 0),
            ("redis://me:p%40s%3As%2F%25@h:1/2", RedisAddress(host: "h", port: 1), RedisCredentials(user: "me", password: "p@s:s/%"), 2),
            ("redis://me:a:b@h", RedisAddress(host: "h", port: 6379), RedisCredentials(user: "me", password: "a:b"), 0),
            ("redis://@h", RedisAddress(host: "h", port: 6379), nil, 0),
        ] as [(String, RedisAddress, RedisCredentials?, Int)])
    func server(url: String, address: RedisAddress, credentials: RedisCredentials?, database: Int) throws {
        let configuration = try RedisConfiguration(url: url)
        #expect(configuration.target == .server(address))
        #expect(configuration.credentials == credentials)
        #expect(configuration.database == database)
        #expect(configuration.tls == nil)
    }

    @Test("of sentinels")
    func sentinels() throws {
        let configuration = try RedisConfiguration(
            url: "redis+sentinel://user:password@a:1,b,[::1]:3/my%20master/2?sentinelUser=s&sentinelPassword=t%26u")
        let addresses = [RedisAddress(host: "a", port: 1), RedisAddress(host: "b", port: 26379), RedisAddress(host: "::1", port: 3)]
        #expect(configuration.target == .sentinels(addresses, master: "my master"))
        #expect(configuration.credentials == RedisCredentials(user: "user", password: "password"))
        #expect(configuration.sentinelCredentials == RedisCredentials(user: "s", password: "t&u"))
        #expect(configuration.database == 2)
        #expect(try RedisConfiguration(url: "redis+sentinel://a/m").sentinelCredentials == nil)
    }

    @Test("that are encrypted, the sentinels too")
    func encrypted() throws {
        #expect(try RedisConfiguration(url: "rediss://h").tls != nil)
        #expect(try RedisConfiguration(url: "rediss+sentinel://h/m").tls != nil)
        #expect(throws: RedisConfigurationError.self) { try RedisConfiguration(url: "rediss://h", caFile: "/does/not/exist") }
    }

    @Test(
        "that cannot be meant are refused without showing a password",
        arguments: [
            "", "h:6379", "http://h", "redis://", "redis://h:x", "redis://h:0", "redis://h:65536", "redis://a,b", "redis://h/x",
            "redis://h/-1", "redis://h/1/2",
            "redis://user@h", "redis://user:@h", "redis://h?x=1", "redis://h#f", "redis://[::1", "redis://[::1]x", "redis://:s3cret%zz@h",
            "redis://:s3cret%ff@h",
            "redis+sentinel://h", "redis+sentinel://h/", "redis+sentinel://,/m", "redis+sentinel://h/m/x",
            "redis+sentinel://h/m?sentinelUser=a",
            "redis+sentinel://h/m?y=1", "redis://:s3/cret@h", "redis://me:s3cret?x@h", "redis://me:s3cret#x@h",
        ])
    func refused(url: String) {
        do throws(RedisConfigurationError) {
            _ = try RedisConfiguration(url: url)
            Issue.record("\(url) was taken")
        } catch {
            #expect(!error.description.isEmpty)
            #expect(!error.description.contains("cret"), "\(error)")
        }
    }

    @Test("passwords are in no description")
    func secrets() throws {
        let configuration = try RedisConfiguration(url: "redis+sentinel://user:s3cret@a/m/0?sentinelPassword=s3cret2")
        var dumped = ""
        dump(configuration.credentials, to: &dumped)
        for text in ["\(configuration)", String(reflecting: configuration.credentials), "\(configuration.credentials!)", dumped] {
            #expect(!text.contains("s3cret"), "\(text)")
        }
        #expect("\(configuration)" == "redis+sentinel://a:26379/m/0")
    }
}
