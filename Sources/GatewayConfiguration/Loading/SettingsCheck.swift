import GatewayCore

/// What no key can say by itself: settings that do not go together.
struct SettingsCheck {
    var settings: GatewaySettings
    /// Where the value of a key came from; `nil` if it is the default.
    var origin: (_ key: String) -> ConfigurationProblem.Origin?
    var environment: [String: String]
    var redisURLProblem: (_ text: String) -> String?

    func problems() -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        if settings.transport == .http, !settings.isLoopback, !settings.insecureAllowRemote {
            problems.append(
                problem(
                    "host",
                    """
                    \(settings.host) can be reached from other machines, and the gateway does not authenticate its clients: everyone who \
                    reaches the port could call every tool. Use 127.0.0.1 behind a proxy that authenticates, or set \
                    gateway.insecureAllowRemote to true
                    """))
        }
        if let url = settings.store.redis.url, !isForOthers(url), let message = redisURLProblem(url.text) {
            problems.append(problem("store.redis.url", message))
        }
        guard settings.store.kind == .redis else { return problems }
        if settings.store.redis.url == nil {
            problems.append(
                problem(
                    "store.kind",
                    """
                    redis needs to know where Redis is; set gateway.store.redis.url or REDIS_URL, for example to redis://127.0.0.1:6379, or use \
                    "embedded"
                    """))
        }
        if settings.transport == .http, settings.cluster.address == nil, !saysWhereItIs {
            problems.append(
                problem(
                    "cluster.address",
                    """
                    other instances must know where to reach this one, and \(settings.host):\(settings.port) does not say; set \
                    gateway.cluster.address, for example to http://10.0.0.5:3001
                    """))
        }
        let cluster = settings.cluster
        if cluster.lease <= cluster.heartbeat * 2 {
            problems.append(
                problem(
                    origin("cluster.lease") == nil ? "cluster.heartbeat" : "cluster.lease",
                    """
                    cluster.lease (\(DurationText.format(cluster.lease))) must be more than twice cluster.heartbeat \
                    (\(DurationText.format(cluster.heartbeat))), so that one late sign of life is no death
                    """))
        }
        return problems
    }

    func warnings() -> [String] {
        func isSet(_ variable: String) -> Bool { environment[variable]?.isEmpty == false }
        guard settings.store.kind == .redis else {
            return isSet("REDIS_URL")
                ? [
                    "environment variable REDIS_URL has no effect, because gateway.store.kind is \(settings.store.kind.rawValue); set it to redis to keep sessions there"
                ] : []
        }
        return isSet("REDIS_PASSWORD") && settings.store.redis.url?.text.contains("@") == false
            ? [
                "environment variable REDIS_PASSWORD has no effect; write the password into the URL: redis://:${REDIS_PASSWORD}@host:port in gateway.store.redis.url"
            ] : []
    }

    /// `REDIS_URL` may be there for other programs.
    private func isForOthers(_ url: RedisURL) -> Bool {
        settings.store.kind != .redis && origin("store.redis.url") == .environment(variable: "REDIS_URL")
    }

    /// Whether others can do something with where this instance listens.
    private var saysWhereItIs: Bool {
        (try? InstanceAddress(settings.clusterAddress())) != nil
    }

    private func problem(_ key: String, _ message: String) -> ConfigurationProblem {
        ConfigurationProblem(origin: origin(key) ?? .flag("--\(key)"), key: "gateway.\(key)", message: message)
    }
}
