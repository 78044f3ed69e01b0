import GatewayConfiguration

/// The `server` block.
extension NGINXConfiguration {
    var server: String {
        let body = [listener, bounds, proxying, handingOn, errors, locations].joined(separator: "\n\n").indented
        return "server {\n\(body)\n}"
    }

    private var listener: String {
        var lines = ["listen \(listen)\(tls == nil ? "" : " ssl http2");"]
        if !serverNames.isEmpty { lines.append("server_name \(serverNames.joined(separator: " "));") }
        if let tls {
            lines += [
                "ssl_certificate \(tls.certificate.quotedForNGINX);", "ssl_certificate_key \(tls.key.quotedForNGINX);",
                "ssl_protocols TLSv1.2 TLSv1.3;", "ssl_session_cache shared:mcp_gateway_tls:10m;", "ssl_session_timeout 1d;",
                "ssl_session_tickets off;",
            ]
        }
        return lines.joined(separator: "\n")
    }

    /// NGINX sees only addresses, and a thousand sessions may come from one: what a client or session may take is for the gateway to say.
    private var bounds: String {
        """
        # The bounds of the gateway's configuration. What one client or session may take is decided there, not by address here.
        client_max_body_size \(limits.maxBodyBytes);
        client_body_buffer_size 256k;
        client_header_buffer_size 4k;
        large_client_header_buffers 8 \(max(limits.maxHeaderBytes, 8 << 10));
        client_header_timeout \(limits.headerTimeout.nginxText);
        client_body_timeout \(limits.bodyTimeout.nginxText);
        send_timeout \(limits.writeTimeout.nginxText);
        keepalive_timeout \(limits.idleTimeout.nginxText);
        keepalive_requests 1000000;
        # Header fields that repeat parameters of tools may have any name that HTTP allows.
        underscores_in_headers on;
        ignore_invalid_headers off;
        """
    }

    private var proxying: String {
        """
        # Streams (SSE): HTTP/1.1, no upgrade, nothing held back, silence for twice as long as the gateway ever keeps it.
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_buffering off;
        proxy_buffer_size 16k;
        proxy_buffers 8 16k;
        proxy_read_timeout \(readTimeout.nginxText);
        proxy_send_timeout \(limits.bodyTimeout.nginxText);
        proxy_connect_timeout 2s;
        proxy_socket_keepalive on;
        proxy_redirect off;
        # For a proxy between this one and the client.
        proxy_pass_header X-Accel-Buffering;
        gzip off;

        # The gateway checks the client's own Host.
        proxy_set_header Host $http_host;
        proxy_set_header X-Request-ID $mcp_gateway_request_id;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-Host $http_host;
        # Only instances say that they pass a request on.
        proxy_set_header Mcp-Gateway-Forward "";
        """
    }

    private var handingOn: String {
        """
        # The next instance is asked when one cannot be reached or breaks off without an answer. A POST that was sent is not sent again, because
        # it may have been executed ("non_idempotent" would change that).
        proxy_next_upstream error timeout invalid_header;
        proxy_next_upstream_timeout 10s;
        # 421 is an instance's word that it did not execute the request: another one is asked, once.
        proxy_intercept_errors on;
        # Also that one may be away.
        recursive_error_pages on;
        """
    }

    private var errors: String {
        """
        # NGINX's own errors, worded as the gateway words its own.
        error_page 421 = @next;
        error_page 413 = @too_large;
        error_page 494 = @header_too_large;
        error_page 502 504 = @unreachable;
        location @next {
            proxy_intercept_errors off;
            proxy_read_timeout \(callTimeout.nginxText);
            error_page 502 504 = @unreachable;
            proxy_pass http://\(instances.count > 1 ? "$mcp_gateway_others" : "mcp_gateway");
        }
        location @too_large {
            default_type application/json;
            return 413 '\(Self.rpcError(-32600, "The body is larger than \(limits.maxBodyBytes) bytes (limits.maxBodyBytes)"))';
        }
        location @header_too_large {
            default_type application/json;
            return 431 '\(Self.rpcError(-32600, "the header is larger than the limit (limits.maxHeaderBytes)"))';
        }
        location @unreachable {
            default_type application/json;
            add_header Retry-After 1 always;
            if ($mcp_gateway_sent = "") {
                return 503 '\(Self.rpcError(-32603, "no instance of the gateway can be reached; the request was not executed; try again"))';
            }
            return 502 '\(Self.rpcError(-32603, "no instance of the gateway answered; it is not known whether the request was executed"))';
        }
        """
    }

    private var locations: String {
        let notFound = Self.apiError("not_found", "there is nothing at this path; MCP is served at /mcp")
        let mcp = ["= /mcp", "~ ^/servers/", "= /sse", "= /messages"].map { "location \($0) { proxy_pass http://\(first); }" }
        return """
            \(mcp.joined(separator: "\n"))
            location = /sse/events {
                error_page 421 = @next;
                proxy_read_timeout \(feedTimeout.nginxText);
                proxy_pass http://\(first);
            }
            # Its 413, 502 and 504 are answers of the gateway, and pass: also that a body is too large, if it is not far too large.
            location ~ ^/api/ {
                error_page 421 = @next;
                # A call is answered when it is done, without a sign of life before.
                proxy_read_timeout \(callTimeout.nginxText);
                client_max_body_size \(limits.maxBodyBytes * 2);
                proxy_pass http://\(first);
            }
            # Of any one instance. Probes of NGINX and of what is behind it; each instance has its own too.
            location = /health { proxy_pass http://mcp_gateway; }
            location = /ready { proxy_pass http://mcp_gateway; }
            # Not here: /metrics, which are each instance's own.
            location / {
                default_type application/json;
                return 404 '\(notFound)';
            }
            """
    }

    private static func rpcError(_ code: Int, _ message: String) -> String {
        #"{"jsonrpc":"2.0","id":null,"error":{"code":\#(code),"message":"\#(message)"}}"#
    }

    private static func apiError(_ code: String, _ message: String) -> String {
        #"{"error":{"code":"\#(code)","message":"\#(message)"}}"#
    }
}
