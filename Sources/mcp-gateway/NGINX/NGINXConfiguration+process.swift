/// What a whole `nginx.conf` has beyond its `server`.
extension NGINXConfiguration {
    func main(_ process: Process) -> String {
        let user = process.user.map { "user \($0.quotedForNGINX);\n" } ?? ""
        return """
            \(user)worker_processes \(process.workers);
            pid \(process.pid.quotedForNGINX);
            error_log \(process.errorLog.quotedForNGINX) warn;
            # A stream has two connections, the client's and the instance's.
            worker_rlimit_nofile \(connectionsOfWorker + 1024);
            # After a reload, how long streams may stay in the old process. Clients resume them in the new one.
            worker_shutdown_timeout \(drainTimeout.nginxText);

            events {
                worker_connections \(connectionsOfWorker);
            }
            """
    }

    func settings(of process: Process) -> String {
        let log =
            process.accessLog.map { path in
                """
                # Without the query, which may hold the id of a session or a ticket.
                log_format mcp_gateway '$remote_addr $time_iso8601 "$request_method $uri" $status $body_bytes_sent $request_time '
                                       'request=$mcp_gateway_request_id instance="$upstream_addr" answers="$upstream_status"';
                access_log \(path.quotedForNGINX) mcp_gateway;
                """
            } ?? "access_log off;"
        let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map {
            "\($0)_temp_path \("\(process.temporaryDirectory)/\($0)".quotedForNGINX);"
        }
        return ([log, "server_tokens off;"] + paths).joined(separator: "\n")
    }
}
