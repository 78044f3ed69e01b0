import Foundation
import Testing

@testable import GatewayConfiguration

@Suite struct ClusterSettingsTests {
    private static let sentinel = "redis+sentinel://user:hunter2@a.example:26379,[::1]:26380/main/3?sentinelUser=s&sentinelPassword=hunter3"

    @Test("the URL of Redis is kept as it is, and shown nowhere")
    func urlIsNotShown() throws {
        let gateway = try load("{}", environment: ["REDIS_URL": Self.sentinel, "SESSION_STORE": "redis"]).gateway
        #expect(gateway.store.redis.url?.text == Self.sentinel)
        var dumped = ""
        dump(gateway, to: &dumped)
        for printed in ["\(gateway.store.redis.url!)", String(reflecting: gateway.store.redis.url), "\(gateway)", dumped] {
            #expect(!printed.contains("hunter"))
        }
    }

    @Test("what is no URL of Redis is refused once, where it came from, and never quoted")
    func refusedURLs() throws {
        let text = "hunter2"
        func found(_ file: String, _ environment: [String: String] = [:], _ flag: Bool = false) throws -> [String] {
            let overrides = flag ? [ConfigurationOverride(flag: "--redis", key: "store.redis.url", value: text)] : []
            return try problems(
                file, environment: environment, overrides: overrides, redisURLProblem: { $0.hasPrefix("redis://") ? nil : "is wrong" })
        }
        let inFile = "{\n\"gateway\": {\"store\": {\"redis\": {\"url\": \"URL\"}}}}"
        let environment = ["REDIS_URL": text, "SESSION_STORE": "redis"]
        #expect(try found("{}", environment) == ["REDIS_URL: gateway.store.redis.url: is wrong"])
        #expect(
            try found(inFile.replacing("URL", with: "${REDIS_URL}"), environment) == ["REDIS_URL: gateway.store.redis.url: is wrong"])
        #expect(try found(inFile.replacing("URL", with: text)) == ["2: gateway.store.redis.url: is wrong"])
        #expect(try found(inFile.replacing("URL", with: "${URL}"), ["URL": text]) == ["2: gateway.store.redis.url: is wrong"])
        #expect(try found("{}", [:], true) == ["--redis: gateway.store.redis.url: is wrong"])
        // The strongest source counts.
        #expect(try found("{}", environment.merging(["MCP_GATEWAY_STORE_REDIS_URL": "redis://r"]) { $1 }).isEmpty)
    }

    @Test("the Redis store needs a URL, which REDIS_URL may give")
    func redisNeedsURL() throws {
        let text = "{\n\"gateway\": {\"store\": {\n\"kind\": \"redis\"}}}"
        let found = try problems(text)
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("3: gateway.store.kind: redis needs to know where Redis is") == true)
        #expect(try problems("{}", environment: ["SESSION_STORE": "valkey"]).first?.hasPrefix("SESSION_STORE: gateway.store.kind") == true)
        let gateway = try load(text, environment: ["REDIS_URL": Self.sentinel]).gateway
        #expect(gateway.store.kind == .redis)
        #expect(gateway.store.redis.url?.text == Self.sentinel)
        #expect(
            try load(text, environment: ["REDIS_URL": "redis://a", "MCP_GATEWAY_STORE_REDIS_URL": "redis://b"])
                .gateway.store.redis.url?.text == "redis://b")
    }

    @Test("with another store REDIS_URL has no effect, whatever it holds, and a warning says so")
    func redisURLWithoutRedis() throws {
        for value in ["redis://:hunter2@r", "unix:///hunter2"] {
            let configuration = try load("{}", environment: ["REDIS_URL": value])
            #expect(configuration.gateway.store.kind == .embedded)
            #expect(configuration.warnings.count == 1)
            #expect(configuration.warnings.first?.contains("REDIS_URL has no effect") == true)
            #expect(configuration.warnings.first?.contains("hunter2") == false)
        }
        #expect(try load("{}", environment: ["REDIS_PASSWORD": "x"]).warnings.isEmpty)
    }

    @Test("a password that is set beside a URL without one is pointed out")
    func password() throws {
        var environment = ["SESSION_STORE": "redis", "REDIS_URL": "redis://r", "REDIS_PASSWORD": "hunter2"]
        let warnings = try load("{}", environment: environment).warnings
        #expect(warnings.count == 1)
        #expect(warnings.first?.contains("redis://:${REDIS_PASSWORD}@host:port") == true)
        environment["REDIS_URL"] = "redis://:hunter2@r"
        #expect(try load("{}", environment: environment).warnings.isEmpty)
    }

    @Test("a lease that one late sign of life would end is refused, where there are leases")
    func lease() throws {
        let text = "{\"gateway\": {\"cluster\": {\"heartbeat\": \"1500ms\"}}}"
        #expect(try load(text).gateway.cluster.heartbeat == .milliseconds(1500))
        let environment = ["SESSION_STORE": "redis", "REDIS_URL": "redis://r"]
        let found = try problems(text, environment: environment)
        #expect(
            found == [
                "1: gateway.cluster.heartbeat: cluster.lease (3s) must be more than twice cluster.heartbeat (1500ms), so that one late sign of life is no death"
            ])
        let longer = environment.merging(["MCP_GATEWAY_CLUSTER_LEASE": "3001ms"]) { $1 }
        #expect(try load(text, environment: longer).gateway.cluster.lease == .milliseconds(3001))
    }

    @Test("the secret of a cluster is read from its file, which must be long enough")
    func secret() throws {
        let directory = try TemporaryDirectory()
        var cluster = ClusterSettings()
        #expect(try cluster.secret() == nil)
        cluster.secretFile = directory.path + "/secret"
        #expect(throws: ConfigurationError.self) { try cluster.secret() }
        try directory.write("hunter2", to: "secret")
        let error = #expect(throws: ConfigurationError.self) { try cluster.secret() }
        #expect(error?.description.contains("holds 7 bytes and must hold at least 32") == true)
        #expect(error?.description.contains("hunter2") == false)
        try directory.write(String(repeating: "x", count: 32), to: "secret")
        #expect(try cluster.secret()?.count == 32)
    }

    @Test("an instance is reached where it listens, if nothing else is said")
    func address() throws {
        var settings = GatewaySettings()
        #expect(settings.clusterAddress() == "http://127.0.0.1:3001")
        settings.host = "::1"
        #expect(settings.clusterAddress(port: 4000) == "http://[::1]:4000")
        settings.cluster.address = "http://gateway-1.internal"
        #expect(settings.clusterAddress(port: 4000) == "http://gateway-1.internal")
    }

    @Test(
        "addresses of instances have no path, user or other scheme",
        arguments: ["10.0.0.1:3001", "http://", "http://a/mcp", "http://user@a", "https://a", "http://a:port"])
    func addresses(address: String) throws {
        #expect(try problems("{\"gateway\": {\"cluster\": {\"address\": \"\(address)\"}}}").count == 1)
        #expect(try problems("{\"gateway\": {\"nginx\": {\"instances\": [\"\(address)\"]}}}").count == 1)
    }

    @Test(
        "an address that says nothing to other instances is refused where there may be some",
        arguments: [
            "\"port\": 0", "\"host\": \"0.0.0.0\", \"insecureAllowRemote\": true",
            "\"host\": \"fe80::1%eth0\", \"insecureAllowRemote\": true",
        ])
    func unsayable(setting: String) throws {
        let environment = ["SESSION_STORE": "redis", "REDIS_URL": "redis://r"]
        let found = try problems("{\"gateway\": {\(setting)}}", environment: environment)
        #expect(found.count == 1)
        #expect(found.first?.contains("cluster.address: other instances must know where to reach this one") == true)
        #expect(try problems("{\"gateway\": {\(setting)}}").isEmpty)
        let address = "\"cluster\": {\"address\": \"http://10.0.0.5:3001\"}"
        #expect(try problems("{\"gateway\": {\(setting), \(address)}}", environment: environment).isEmpty)
    }

    @Test(
        "an address that stands for every machine is refused where it is said, with what to do",
        arguments: ["http://0.0.0.0:3001", "http://[::]:3001"])
    func unspecified(address: String) throws {
        let problem =
            "must be where others reach the instance, such as http://10.0.0.5:3001 (0.0.0.0 and [::] only say where it listens), not \"\(address)\""
        let file = "{\n\"gateway\": {\"cluster\": {\n\"address\": \"\(address)\"}}}"
        #expect(try problems(file) == ["3: gateway.cluster.address: \(problem)"])
        let variable = "MCP_GATEWAY_CLUSTER_ADDRESS"
        #expect(try problems("{}", environment: [variable: address]) == ["\(variable): gateway.cluster.address: \(problem)"])
        let override = ConfigurationOverride(flag: "--address", key: "cluster.address", value: address)
        #expect(try problems("{}", overrides: [override]) == ["--address: gateway.cluster.address: \(problem)"])
        let instances = "{\"gateway\": {\"nginx\": {\"instances\": [\"\(address)\"]}}}"
        #expect(try problems(instances) == ["1: gateway.nginx.instances: \(problem)"])
    }

    @Test("NGINX's instances change without a restart of the gateway")
    func nginxNeedsNoRestart() {
        var new = GatewayConfiguration()
        new.gateway.nginx.instances = ["http://a:1"]
        #expect(ConfigurationDiff(from: GatewayConfiguration(), to: new).isEmpty)
        new.gateway.cluster.lease = .seconds(9)
        #expect(ConfigurationDiff(from: GatewayConfiguration(), to: new).needRestart == ["gateway.cluster.lease"])
    }
}
