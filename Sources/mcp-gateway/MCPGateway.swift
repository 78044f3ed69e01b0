import ArgumentParser
import AsyncHTTPClient
import EmbeddedStore
import EnvironmentTools
import GatewayConfiguration
import GatewayCore
import HTTPTransport
import MCPProtocol
import StdioTransport
import Telemetry
import Upstreams

@main
struct MCPGateway: AsyncParsableCommand {}
