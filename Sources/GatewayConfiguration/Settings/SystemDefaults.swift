import Foundation

/// Defaults that depend on the machine, the user or the environment.
enum SystemDefaults {
    /// The host name, reduced to the characters an instance id may have.
    static func instanceID(hostName: String = ProcessInfo.processInfo.hostName) -> String {
        let cleaned = hostName.unicodeScalars.map { scalar -> Character in
            let isSafe =
                scalar.isASCII && (scalar.properties.isAlphabetic || (48...57).contains(scalar.value) || scalar == "." || scalar == "-")
            return isSafe ? Character(scalar) : "-"
        }
        let name = String(cleaned.prefix(64))
        return name.isEmpty ? "gateway" : name
    }

    /// Half the cores, at least one: the upstreams need the other half.
    static func threads(cores: Int = ProcessInfo.processInfo.activeProcessorCount) -> Int {
        max(1, cores / 2)
    }

    /// `$XDG_STATE_HOME/mcp-gateway`, else `~/.local/state/mcp-gateway` (XDG Base Directory Specification: relative values are ignored).
    static func dataDirectory(environment: [String: String] = ProcessInfo.processInfo.environment) -> String {
        if let state = environment["XDG_STATE_HOME"], state.hasPrefix("/") {
            return state + "/mcp-gateway"
        }
        return homeDirectory(environment: environment) + "/.local/state/mcp-gateway"
    }

    static func homeDirectory(environment: [String: String]) -> String {
        if let home = environment["HOME"], home.hasPrefix("/") { return home == "/" ? "" : home }
        return NSHomeDirectory()
    }

    /// The socket that `DOCKER_HOST=unix://…` names, else the usual one.
    static func dockerSocket(environment: [String: String] = ProcessInfo.processInfo.environment) -> String {
        if let host = environment["DOCKER_HOST"], host.hasPrefix("unix:///") {
            return String(host.dropFirst("unix://".count))
        }
        return "/var/run/docker.sock"
    }

    static func workingDirectory() -> String {
        FileManager.default.currentDirectoryPath
    }
}
