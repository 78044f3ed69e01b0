// swift-tools-version: 6.1
import PackageDescription

// Fuzz targets. A package of their own: an ordinary build has no use for them, and of the gateway and its dependencies they need a part only.
// The gateway's sources are links.

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let package = Package(
    name: "fuzz",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
    ],
    targets: [
        .executableTarget(
            name: "fuzz",
            dependencies: [
                "GatewayConfiguration", "GatewayCore", "MCPProtocol", "RESP", "ServerSentEvents",
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: settings),
        .target(
            name: "GatewayConfiguration",
            dependencies: [
                "GatewayCore",
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: settings),
        // Six files of it: the whole would bring a cryptography library, which takes longer to build than all the rest.
        .target(name: "GatewayCore", swiftSettings: settings),
        .target(
            name: "MCPProtocol", dependencies: [.product(name: "NIOCore", package: "swift-nio")],
            swiftSettings: settings),
        // Values and parser; connections would bring a TLS library.
        .target(name: "RESP", dependencies: [.product(name: "NIOCore", package: "swift-nio")], swiftSettings: settings),
        .target(
            name: "ServerSentEvents", dependencies: [.product(name: "NIOCore", package: "swift-nio")],
            swiftSettings: settings),
    ]
)
