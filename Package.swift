// swift-tools-version: 6.1
import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let package = Package(
    name: "EnvironmentMCPGateway",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "mcp-gateway", targets: ["mcp-gateway"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(
            url: "https://github.com/apple/swift-configuration", from: "1.4.0",
            traits: ["JSON", "YAML", "CommandLineArguments", "Reloading"]),
        .package(url: "https://github.com/apple/swift-crypto", "4.5.0"..<"5.0.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.30.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.0"),
    ],
    targets: [
        // The commands and the composition root.
        .executableTarget(
            name: "mcp-gateway",
            dependencies: [
                "CStartupPages", "EmbeddedStore", "EnvironmentTools", "GatewayConfiguration", "GatewayCore", "HTTPTransport",
                "MCPHTTPClient", "MCPProtocol", "RESP", "RedisStore", "StdioTransport", "Telemetry", "Upstreams",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings),
        // Downstream transports.
        .target(
            name: "HTTPTransport",
            dependencies: [
                "GatewayCore", "MCPProtocol", "ServerSentEvents",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            resources: [.embedInCode("REST/openapi.json")],
            swiftSettings: settings),
        .target(
            name: "StdioTransport",
            dependencies: [
                "GatewayCore", "MCPHTTPClient", "MCPProtocol",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: settings),
        // Upstreams.
        .target(
            name: "Upstreams",
            dependencies: [
                "CProcessGuard", "GatewayCore", "MCPHTTPClient", "MCPProtocol",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: settings),
        .target(name: "CProcessGuard"),
        .target(name: "CStartupPages"),
        .target(
            name: "EnvironmentTools",
            dependencies: [
                "GatewayCore", "MCPProtocol",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "Subprocess", package: "swift-subprocess"),
            ],
            swiftSettings: settings),
        // Stores.
        .target(
            name: "EmbeddedStore",
            dependencies: [
                "GatewayCore", "MCPProtocol",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: settings),
        // The driver for Redis.
        .target(
            name: "RESP",
            dependencies: [
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: settings),
        .target(
            name: "RedisStore",
            dependencies: [
                "GatewayCore", "MCPProtocol", "RESP",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: settings),
        // The client side of Streamable HTTP: for HTTP upstreams, `connect` and `tools`.
        .target(
            name: "MCPHTTPClient",
            dependencies: [
                "MCPProtocol", "ServerSentEvents",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: settings),
        // What every part needs.
        .target(
            name: "GatewayConfiguration",
            dependencies: [
                "GatewayCore",
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: settings),
        .target(
            name: "Telemetry",
            dependencies: [
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
            ],
            swiftSettings: settings),
        .target(
            name: "GatewayCore",
            dependencies: [
                "MCPProtocol",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: settings),
        .target(
            name: "MCPProtocol",
            dependencies: [
                .product(name: "NIOCore", package: "swift-nio")
            ],
            swiftSettings: settings),
        .target(
            name: "ServerSentEvents",
            dependencies: [
                .product(name: "NIOCore", package: "swift-nio")
            ],
            swiftSettings: settings),
        // Benchmarks: the server behind what is measured, and what makes the load.
        .executableTarget(
            name: "mcp-echo", path: "benchmarks/echo", cSettings: [.define("_GNU_SOURCE", .when(platforms: [.linux]))]),
        .executableTarget(
            name: "mcp-bench-load", path: "benchmarks/load", cSettings: [.define("_GNU_SOURCE", .when(platforms: [.linux]))]),
        .executableTarget(
            name: "mcp-bench-recording",
            dependencies: [
                "GatewayCore", "HTTPTransport", "MCPProtocol", "Telemetry",
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            path: "benchmarks/recording", swiftSettings: settings),
        // Tests.
        .testTarget(name: "MCPProtocolTests", dependencies: ["MCPProtocol"], swiftSettings: settings),
        .testTarget(
            name: "ServerSentEventsTests",
            dependencies: ["ServerSentEvents", .product(name: "NIOCore", package: "swift-nio")], swiftSettings: settings),
        .testTarget(
            name: "GatewayCoreTests",
            dependencies: [
                "GatewayCore",
                .product(name: "MetricsTestKit", package: "swift-metrics"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ],
            swiftSettings: settings),
        .testTarget(name: "GatewayConfigurationTests", dependencies: ["GatewayConfiguration", "GatewayCore"], swiftSettings: settings),
        // What every store must do, as checks that are run with each.
        .target(
            name: "StoreContracts",
            dependencies: [
                "GatewayCore", "MCPProtocol",
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            path: "Tests/StoreContracts", swiftSettings: settings),
        .testTarget(name: "EmbeddedStoreTests", dependencies: ["EmbeddedStore", "StoreContracts"], swiftSettings: settings),
        // Real ones, for tests.
        .target(
            name: "RedisServers", dependencies: [.product(name: "NIOConcurrencyHelpers", package: "swift-nio")], path: "Tests/RedisServers",
            swiftSettings: settings),
        .testTarget(
            name: "RedisStoreTests",
            dependencies: [
                "RedisServers", "RedisStore", "StoreContracts",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "UpstreamsTests",
            dependencies: [
                "EmbeddedStore", "GatewayCore", "MCPProtocol", "Upstreams",
                .product(name: "MetricsTestKit", package: "swift-metrics"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "RESPTests",
            dependencies: [
                "RESP", "RedisServers",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: settings),
        .testTarget(name: "EnvironmentToolsTests", dependencies: ["EnvironmentTools"], swiftSettings: settings),
        .testTarget(name: "TelemetryTests", dependencies: ["Telemetry"], swiftSettings: settings),
        .target(
            name: "ScriptedHTTPServer",
            dependencies: [
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            path: "Tests/ScriptedHTTPServer", swiftSettings: settings),
        .testTarget(name: "MCPHTTPClientTests", dependencies: ["MCPHTTPClient", "ScriptedHTTPServer"], swiftSettings: settings),
        .testTarget(name: "StdioTransportTests", dependencies: ["ScriptedHTTPServer", "StdioTransport"], swiftSettings: settings),
        .testTarget(
            name: "CommandTests", dependencies: ["GatewayConfiguration", "GatewayCore", "MCPProtocol", "Telemetry", "mcp-gateway"],
            swiftSettings: settings),
        .testTarget(
            name: "HTTPTransportTests",
            dependencies: [
                "EmbeddedStore", "HTTPTransport", "ScriptedHTTPServer", "Upstreams",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
            ],
            swiftSettings: settings),
    ]
)
