public import GatewayCore
public import NIOCore
import NIOPosix

/// The tools about the development environment that the gateway offers by itself.
public enum EnvironmentTools {
    /// All tools of this toolset, in the order in which `tools/list` names them.
    ///
    /// - Parameters:
    ///   - settings: what to look at, and the limits.
    ///   - eventLoopGroup: where the connections to Docker and the database run; nil takes NIO's process-wide group.
    public static func tools(
        settings: EnvironmentToolsSettings,
        eventLoopGroup: (any EventLoopGroup)? = nil
    ) -> [any BuiltinTool] {
        [EnvironmentStatusTool(settings: settings, eventLoopGroup: eventLoopGroup ?? MultiThreadedEventLoopGroup.singleton)]
    }
}
