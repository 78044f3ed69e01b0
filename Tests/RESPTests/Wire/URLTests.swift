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
        "that cannot be meant are refused with what is wrong, without showing any of them",
        arguments: [
            ("", "no scheme"), ("h:6379", "no scheme"), ("s3cret", "no scheme"), ("http://h", "unknown scheme"),
            ("s3cret://h", "unknown scheme"), ("http://:s3cret@h", "unknown scheme"), ("redis://", "no host"),
            ("redis://:s3cret@", "no host"), ("redis://h:s3cret", "no number from 1 to 65535"), ("redis://h:0", "no number from 1"),
            ("redis://h:65536", "no number from 1"), ("redis://:pass@s3cret:x", "no number from 1"), ("redis://s3 cret", "spaces"),
            ("redis://a,b", "several hosts"), ("redis://h/s3cret", "must be a number"), ("redis://h/-1", "must be a number"),
            ("redis://h/1/2", "too many parts"), ("redis://s3cret@h", "user without a password"), ("redis://user:@h", "empty password"),
            ("redis://h?s3cret=1", "unknown parameter"), ("redis://h#f", "fragment"), ("redis://[::1", "without ]"),
            ("redis://[::1]s3cret", "after ]"), ("redis://:s3cret%zz@h", "two hexadecimal digits"), ("redis://:s3cret%ff@h", "no UTF-8"),
            ("redis+sentinel://h", "name the master"), ("redis+sentinel://h/", "name the master"), ("redis+sentinel://,/m", "no host"),
            ("redis+sentinel://h/m/s3cret", "must be a number"), ("redis+sentinel://h/m?sentinelUser=a", "without sentinelPassword"),
            ("redis+sentinel://h/m?y=1", "unknown parameter"), ("redis://:s3/cret@h", "@ after its host"),
            ("redis://me:s3cret?x@h", "@ after its host"), ("redis://me:s3cret#x@h", "%23"),
        ])
    func refused(url: String, reason: String) {
        do throws(RedisConfigurationError) {
            _ = try RedisConfiguration(url: url)
            Issue.record("\(url) was taken")
        } catch {
            #expect(error.description.contains(reason), "\(error)")
            #expect(!error.description.contains("cret") && !error.description.contains("pass@"), "\(error)")
            #expect(RedisConfiguration.problem(withURL: url) == error.description)
        }
        #expect(RedisConfiguration.problem(withURL: "redis://:s3cret@h") == nil)
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
