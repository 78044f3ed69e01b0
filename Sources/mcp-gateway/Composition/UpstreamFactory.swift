import AsyncHTTPClient
import GatewayConfiguration
import GatewayCore
import Logging
import MCPHTTPClient
import NIOCore
import Upstreams

/// Makes upstream definitions from the configuration.
struct UpstreamFactory: Sendable {
    let settings: GatewaySettings
    let httpClient: HTTPClient
    let logger: Logger

    func definitions(_ servers: [ServerConfiguration]) -> [UpstreamDefinition] {
        servers.filter { !$0.disabled }.map(definition)
    }

    func definition(_ server: ServerConfiguration) -> UpstreamDefinition {
        // What a change of which needs no new process is left out of the fingerprint.
        var process = server
        process.required = false
        var definition = UpstreamDefinition(
            name: server.name, isolation: server.isolation, factory: linkFactory(server),
            fingerprint: "\(process)")
        definition.callTimeout = TimeAmount(server.timeout)
        definition.handshakeTimeout = TimeAmount(server.handshakeTimeout)
        definition.era = server.era
        definition.probeTimeout = TimeAmount(server.probeTimeout)
        definition.idleTimeout = TimeAmount(server.idleTimeout)
        definition.maxSessionProcesses = settings.limits.maxSessionProcesses
        definition.maxInFlight = settings.limits.maxInFlightPerUpstream
        definition.toolFilter = server.tools
        definition.required = server.required
        return definition
    }

    private func linkFactory(_ server: ServerConfiguration) -> any UpstreamLinkFactory {
        switch server.transport {
        case .stdio(let stdio):
            let command = ChildCommand(
                command: stdio.command, arguments: stdio.args, environment: stdio.env, workingDirectory: stdio.cwd)
            return StdioLinkFactory(name: server.name, command: command, limits: settings.childLimits, logger: logger)
        case .http(let http):
            var configuration = StreamableHTTPClientConfiguration(
                url: http.url, headers: http.headers.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
            configuration.responseTimeout = TimeAmount(server.timeout)
            configuration.maxInFlight = settings.limits.maxInFlightPerUpstream
            configuration.maxMessageBytes = max(settings.limits.maxBodyBytes, 1 << 20)
            return HTTPLinkFactory(name: server.name, configuration: configuration, httpClient: httpClient, logger: logger)
        }
    }
}
