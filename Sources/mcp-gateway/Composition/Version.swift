/// The version that `--version`, `serverInfo` and `/health` tell.
enum GatewayVersion {
    static let current = "0.1.0"
}
