/// The instances, and which of them is asked.
extension NGINXConfiguration {
    /// All of them, and for each one all but it.
    var pools: String {
        let all = """
            # Passive health checks: a connection that is refused costs next to nothing and the next instance is asked, so an instance that is
            # being restarted is left out only while it is away. NGINX never leaves out the only one.
            \(pool("mcp_gateway", instances, idle: 256))
            """
        guard instances.count > 1 else { return all }
        let rests = instances.indices.map { index in
            pool("mcp_gateway_without_\(index + 1)", instances.enumerated().filter { $0.offset != index }.map(\.element), idle: 32)
        }
        return ([all, "# For a request that an instance handed back (status 421): the others."] + rests).joined(separator: "\n")
    }

    private func pool(_ name: String, _ instances: [String], idle: Int) -> String {
        let choice = balance == .leastConnections ? "    least_conn;\n" : ""
        return """
            upstream \(name) {
                zone \(name) \(idle > 100 ? "256k" : "64k");
            \(choice)\(instances.map { "    server \($0) max_fails=3 fail_timeout=2s;" }.joined(separator: "\n"))
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
            \(requestID)

            # Whom to ask after an instance handed a request back: everybody but it. An instance that is configured by name is not
            # recognised by its address: then anybody.
            map $upstream_addr $mcp_gateway_others {
                default mcp_gateway;
            \(entries.joined(separator: "\n"))
            }
            """
    }

    private static func escaped(_ text: String) -> String {
        text.map { ".[]".contains($0) ? "\\\($0)" : String($0) }.joined()
    }
}
