/// The keys for several instances that are one gateway.
extension ConfigurationKeys {
    static let redis: [ConfigurationKey] = [
        .redisURL(
            "store.redis.url", \.store.redis.url,
            "Where Redis is, for `store.kind: redis`: `redis://user:password@host:port/db`, or `redis+sentinel://user:password@host:port,host:port/master-name/db?sentinelUser=…&sentinelPassword=…`; `rediss://…` and `rediss+sentinel://…` with TLS. Never logged with its passwords.",
            otherVariables: ["REDIS_URL"]),
        .text(
            "store.redis.keyPrefix", .keyPrefix, \.store.redis.keyPrefix,
            "How every key and channel in Redis begins. The same for all instances, and another for each gateway that shares the Redis."),
        .duration(
            "store.redis.commandTimeout", .milliseconds(100)...Duration.seconds(60), \.store.redis.commandTimeout,
            "How long one command may take, reconnecting and the election of a new master included. Then the request that needs it fails."),
        .duration(
            "store.redis.startTimeout", .milliseconds(100)...Duration.seconds(3600), \.store.redis.startTimeout,
            "How long the start waits for a Redis that does not answer yet. Then the gateway ends with exit code 1."),
        .optionalText(
            "store.redis.caFile", .path, \.store.redis.caFile,
            "PEM file of the authorities that the certificates of `rediss://` are checked against, instead of the system's."),
    ]

    static let cluster: [ConfigurationKey] = [
        .optionalText(
            "cluster.address", .httpAddress, \.cluster.address,
            "Where other instances reach this one. They forward requests whose session lives here.", defaultText: "`http://<host>:<port>`"),
        .duration(
            "cluster.heartbeat", .milliseconds(100)...Duration.seconds(60), \.cluster.heartbeat,
            "Time between two signs of life that an instance gives in Redis."),
        .duration(
            "cluster.lease", .milliseconds(300)...Duration.seconds(600), \.cluster.lease,
            "An instance that gave no sign of life for this long is dead: others take its sessions over. More than twice `cluster.heartbeat`."
        ),
        .optionalText(
            "cluster.secretFile", .path, \.cluster.secretFile,
            "File of at least 32 bytes, the same for all instances, that the keys of session ids, of `requestState` and of forwarded requests come from. Without it one is made once and kept in Redis.",
            defaultText: "made once and kept in Redis"),
    ]

    static let nginx: [ConfigurationKey] = [
        .list(
            "nginx.instances", .httpAddress, \.nginx.instances,
            "Addresses of the instances behind NGINX, for `mcp-gateway nginx-config`.", defaultText: "this gateway's address")
    ]
}
