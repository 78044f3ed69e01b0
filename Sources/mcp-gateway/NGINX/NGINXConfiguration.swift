import GatewayConfiguration

/// What NGINX is to do in front of several instances. `render()` is its configuration; nothing in it is a secret.
struct NGINXConfiguration: Equatable {
    /// How the next instance is chosen.
    enum Balance: String, CaseIterable {
        /// The one with the fewest open requests; streams count as long as they are open.
        case leastConnections = "least_conn"
        /// One after the other.
        case roundRobin = "round_robin"
    }

    /// Certificate and key, as paths of PEM files.
    struct TLS: Equatable {
        var certificate: String
        var key: String
    }

    /// What a whole `nginx.conf` has beyond its `server`.
    struct Process: Equatable {
        /// Path of the file with the id of the master process.
        var pid: String
        /// Directory for bodies that do not fit into memory; it must exist.
        var temporaryDirectory: String
        /// Path, or `stderr`.
        var errorLog = "stderr"
        /// Path; nil: none is written.
        var accessLog: String?
        /// Number of worker processes, or `auto`.
        var workers = "auto"
        /// User of the worker processes, if the master runs as root; nil: NGINX's own.
        var user: String?
    }

    /// The instances as `host:port`; at least one, each once.
    var instances: [String]
    var balance = Balance.leastConnections
    /// Whether the requests of a session go to the instance that made it, as long as it is there.
    var hasAffinity = true
    /// Value of `listen`: a port, or `address:port`.
    var listen = "127.0.0.1:8080"
    var serverNames: [String] = []
    var tls: TLS?
    /// Nil: only what belongs into the `http` block of another configuration.
    var process: Process?
    /// Where bounds and times come from.
    var limits = LimitSettings()
    var streams = StreamSettings()
    /// Whether answers become streams when they take long (`gateway.enableSSE`).
    var hasStreams = true
    var drainTimeout = Duration.seconds(30)

    /// The text of the configuration.
    func render() -> String {
        let http = [pools, maps, server]
        guard let process else { return ([Self.heading] + http).joined(separator: "\n\n") + "\n" }
        let body = ([settings(of: process)] + http).joined(separator: "\n\n").indented
        return [Self.heading, main(process), "http {\n\(body)\n}"].joined(separator: "\n\n") + "\n"
    }

    private static let heading = """
        # Made by `mcp-gateway nginx-config` (mcp-gateway \(GatewayVersion.current)). Make it again instead of editing it.
        """

    // MARK: Times and sizes

    /// Idle connections to the instances are closed sooner than the instances close them: a request that is sent into a connection that is
    /// just being closed is lost.
    var upstreamIdleTime: Duration { min(.seconds(60), limits.idleTimeout / 2) }

    /// Above any pause in a stream: an instance that says nothing for so long is gone, and its client has to learn it. Without streams an answer
    /// may take as long as the call.
    var readTimeout: Duration { hasStreams ? max(.seconds(60), streams.keepAlive * 2) : callTimeout }

    /// The same of a feed.
    var feedTimeout: Duration { max(.seconds(60), streams.eventsKeepAlive * 2) }

    /// Above the longest call that answers without a stream.
    let callTimeout = Duration.seconds(3600)

    /// A client's and an instance's side for each connection that one instance takes.
    var connectionsOfWorker: Int { min(max(2 * limits.maxConnections, 1024), 1 << 20) }
}

extension String {
    /// Every line that is not empty begins four spaces further right.
    var indented: String {
        split(separator: "\n", omittingEmptySubsequences: false).map { $0.isEmpty ? "" : "    \($0)" }.joined(separator: "\n")
    }

    /// As one parameter of a directive.
    var quotedForNGINX: String {
        let isPlain = !isEmpty && utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"\"';{}\\$#".utf8.contains($0) }
        if isPlain { return self }
        return "\"" + replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}

extension Duration {
    /// As NGINX writes times: milliseconds, or seconds where they are whole; at least one millisecond.
    var nginxText: String {
        let (seconds, attoseconds) = components
        let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
        return milliseconds > 0 && milliseconds % 1000 == 0 ? "\(milliseconds / 1000)s" : "\(max(milliseconds, 1))ms"
    }
}
