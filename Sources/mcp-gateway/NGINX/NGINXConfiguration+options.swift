import GatewayConfiguration
import GatewayCore

/// What the user said is wrong, and what to do.
struct NGINXOptionError: Error, CustomStringConvertible, Equatable {
    let description: String
}

/// From what the user may say to what NGINX can take.
extension NGINXConfiguration {
    /// - Parameters:
    ///   - settings: the gateway's configuration, which bounds and times come from.
    ///   - addresses: addresses of the instances, such as `http://10.0.0.5:3001`; empty: those of `nginx.instances`, else this gateway's own.
    /// - Throws: for an address that NGINX cannot be told, or that is there twice.
    init(settings: GatewaySettings, addresses: [String]) throws(NGINXOptionError) {
        var wanted = addresses.isEmpty ? settings.nginx.instances : addresses
        if wanted.isEmpty { wanted = [try Self.ownAddress(settings)] }
        var instances: [String] = []
        for address in wanted {
            let instance = try Self.instance(address)
            guard !instances.contains(instance) else { throw NGINXOptionError(description: "the instance \(address) is named twice") }
            instances.append(instance)
        }
        self.init(instances: instances)
        limits = settings.limits
        hasStreams = settings.enableSSE
        streams = settings.streams
        drainTimeout = settings.drainTimeout
    }

    private static func ownAddress(_ settings: GatewaySettings) throws(NGINXOptionError) -> String {
        if settings.cluster.address == nil, settings.port == 0 {
            throw NGINXOptionError(
                description: "gateway.port is 0, so the port is not known; name the instances with --instance or gateway.nginx.instances")
        }
        // What stands for every address of the machine is no address to connect to.
        var settings = settings
        if settings.host == "0.0.0.0" { settings.host = "127.0.0.1" }
        if settings.host == "::" { settings.host = "::1" }
        return settings.clusterAddress()
    }

    /// `http://host` and `http://host:port` → `host:port`.
    static func instance(_ address: String) throws(NGINXOptionError) -> String {
        do {
            return try InstanceAddress(address).authority
        } catch {
            throw NGINXOptionError(description: "\(address) is no instance: it \(error)")
        }
    }

    /// Why a value of `listen` is not acceptable.
    static func problem(withListen text: String) -> String? {
        let isPortAlone = isPort(text[...])
        let colon = text.lastIndex(of: ":")
        let isPair = colon.map {
            text[..<$0].utf8.allSatisfy(isPartOfHost) && $0 > text.startIndex && isPort(text[text.index(after: $0)...])
        }
        return isPortAlone || isPair == true
            ? nil : "\(text): NGINX listens on a port such as 8080, or on 127.0.0.1:8080, [::1]:8080 or *:8080"
    }

    /// Whether other machines can reach what listens there.
    static func isRemote(listen: String) -> Bool {
        !["127.", "localhost:", "[::1]:"].contains { listen.hasPrefix($0) }
    }

    /// Why a path cannot stand in the configuration: NGINX would read a variable in it.
    static func problem(withPath path: String) -> String? {
        path.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "$") }
            ? nil : "a path for NGINX has no $ and no control characters"
    }

    /// Why a name cannot be a `server_name`.
    static func problem(withServerName name: String) -> String? {
        !name.isEmpty && name.utf8.allSatisfy { isPartOfHost($0) || $0 == UInt8(ascii: "*") } && !name.contains(":")
            ? nil : "\(name): a server name is a host name without a port"
    }

    private static func isPort(_ text: Substring) -> Bool {
        text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } && UInt16(text) ?? 0 > 0
    }

    private static func isPartOfHost(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: "-._:[]*".utf8.contains(byte)
        }
    }
}
