import GatewayCore

/// The instances, and which of them is asked.
extension NGINXConfiguration {
    /// All of them, and for each one: it before all others, and all but it.
    var pools: String {
        let all = """
            # Passive health checks: a connection that is refused costs next to nothing and the next instance is asked, so an instance that is
            # being restarted is left out only while it is away. NGINX never leaves out the only one.
            \(pool("mcp_gateway", instances, idle: 256))
            """
        guard instances.count > 1 else { return all }
        let homes = instances.enumerated().map { index, home in
            pool("mcp_gateway_at_\(index + 1)", [home], backups: instances.filter { $0 != home }, idle: 256)
        }
        let rests = instances.enumerated().map { index, home in
            pool("mcp_gateway_without_\(index + 1)", instances.filter { $0 != home }, idle: 32)
        }
        let affine = hasAffinity ? ["# For the requests of a session: the instance that made it, before the others."] + homes : []
        return ([all] + affine + ["# For a request that an instance handed back (status 421): the others."] + rests)
            .joined(separator: "\n")
    }

    private func pool(_ name: String, _ instances: [String], backups: [String] = [], idle: Int) -> String {
        let choice = balance == .leastConnections ? "    least_conn;\n" : ""
        // One failure is enough where others stand by, because a needless change of instance costs no more than a hop: of an instance that is
        // frozen NGINX learns slowly.
        let tolerance = backups.isEmpty ? "max_fails=3 fail_timeout=2s" : "max_fails=1 fail_timeout=10s"
        let servers =
            instances.map { "    server \($0) \(tolerance);" } + backups.map { "    server \($0) max_fails=3 fail_timeout=2s backup;" }
        return """
            upstream \(name) {
                zone \(name) \(idle > 100 ? "256k" : "64k");
            \(choice)\(servers.joined(separator: "\n"))
                keepalive \(idle);
                keepalive_requests 1000000;
                keepalive_timeout \(upstreamIdleTime.nginxText);
            }
            """
    }

    var maps: String {
        let requestID = """
            # Each request has a name, the client's or a new one. The log of the instance that worked on it has it too.
            map $http_x_request_id $mcp_gateway_request_id {
                default $http_x_request_id;
                "" $request_id;
            }

            # Whether anything of the request was sent to an instance, which may then have executed it: not if there was no connection.
            map $upstream_bytes_sent $mcp_gateway_sent {
                default yes;
                "~^[-0, :]*$" "";
            }
            """
        guard instances.count > 1 else { return requestID }
        let entries = instances.enumerated().map { index, instance in
            "    \"~(^|[ ,])\(Self.escaped(instance))$\" mcp_gateway_without_\(index + 1);"
        }
        return """
            \(requestID)\(hasAffinity ? "\n\n\(homeOfSession)" : "")

            # Whom to ask after an instance handed a request back: everybody but it. An instance that is configured by name is not
            # recognised by its address: then anybody.
            map $upstream_addr $mcp_gateway_others {
                default mcp_gateway;
            \(entries.joined(separator: "\n"))
            }
            """
    }

    /// Not for correctness: a request that reaches another instance is passed on by it, which costs a hop.
    private var homeOfSession: String {
        var known: Set<HomeHint> = []
        let entries = instances.enumerated().compactMap { index, instance -> String? in
            let hint = HomeHint(authority: instance)
            // Of two that look alike one has its sessions' requests passed on.
            return known.insert(hint).inserted ? "    \"~*^\(hint)\" mcp_gateway_at_\(index + 1);" : nil
        }
        return """
            # A session's id begins with three digits that stand for the instance that made it. Whoever else gets a request of it passes it on:
            # so this saves work and nothing depends on it.
            map $http_mcp_session_id$http_x_session_id$arg_sessionid $mcp_gateway_home {
                default mcp_gateway;
            \(entries.joined(separator: "\n"))
            }
            """
    }

    /// Where requests go first.
    var first: String { hasAffinity && instances.count > 1 ? "$mcp_gateway_home" : "mcp_gateway" }

    private static func escaped(_ text: String) -> String {
        text.map { ".[]".contains($0) ? "\\\($0)" : String($0) }.joined()
    }
}
