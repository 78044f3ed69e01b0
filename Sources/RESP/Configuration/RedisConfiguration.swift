import NIOSSL

/// How a client finds its server and what it bounds.
public struct RedisConfiguration: Sendable {
    /// Where the server is, or who knows.
    public enum Target: Sendable, Hashable {
        case server(RedisAddress)
        /// Sentinels, the preferred first, and the name under which they know the master.
        case sentinels([RedisAddress], master: String)
    }

    public var target: Target
    /// Nil: the server asks for none.
    public var credentials: RedisCredentials?
    /// For the sentinels, which have users of their own. Nil: they ask for none.
    public var sentinelCredentials: RedisCredentials?
    public var database = 0
    /// How the server sees the client (`CLIENT LIST`); no spaces. Nil: nameless.
    public var clientName: String?
    /// Nil: not encrypted. Sentinels are reached the same way.
    public var tls: RedisTLS?

    /// How long a command may take from `send` to its answer, reconnects and repeats included.
    public var commandTimeout: Duration = .seconds(2)
    /// How long it may take to connect, encrypt and log in to one server.
    public var connectTimeout: Duration = .seconds(2)
    /// How long one sentinel may take, the connection included, before the next is asked.
    public var sentinelTimeout: Duration = .milliseconds(500)
    /// A connection on which nothing was received for so long is tested with `PING`.
    public var pingInterval: Duration = .seconds(1)
    /// A connection on which an answer is due and nothing was received for so long is given up. So a frozen server is noticed after
    /// `pingInterval + silenceLimit` at the latest. Commands that block (`BLPOP`) for longer do not belong on a shared connection.
    public var silenceLimit: Duration = .seconds(2)
    /// How long a connection that is being replaced may take to answer what was sent on it.
    public var handoverTimeout: Duration = .milliseconds(250)
    /// How long commands wait at most, unsent, when sentinels say that they are about to replace the master (`SENTINEL FAILOVER`).
    public var failoverPause: Duration = .seconds(3)
    /// The wait before the first attempt to connect again is at most so long, chosen at random; each further one is doubled.
    public var reconnectBaseDelay: Duration = .milliseconds(50)
    /// The longest wait between two attempts.
    public var reconnectMaxDelay: Duration = .seconds(1)
    /// The wait before a command is repeated on the same connection (`TRYAGAIN`, `CLUSTERDOWN`, `NOREPLICAS`, `BUSY`).
    public var repeatDelay: Duration = .milliseconds(50)

    /// Commands that are not answered yet, those that wait for a connection included.
    public var maxQueuedCommands = 65536
    /// Encoded bytes of those commands.
    public var maxQueuedBytes = 64 * 1024 * 1024
    /// Sentinels that are remembered, those that others told of included.
    public var maxSentinels = 32
    /// Bounds of replies.
    public var limits = RESPLimits()

    public init(target: Target) { self.target = target }

    /// Why a text is none of the URLs that ``init(url:caFile:)`` reads, without any of it; nil if it is one.
    public static func problem(withURL url: String) -> String? {
        do throws(RedisConfigurationError) {
            _ = try RedisURL(url)
            return nil
        } catch {
            return error.description
        }
    }

    /// Reads a URL:
    ///
    ///     redis://[[user]:password@]host[:6379][/database]
    ///     rediss://…                                            encrypted
    ///     redis+sentinel://[[user]:password@]host[:26379],…/master-name[/database][?sentinelUser=…&sentinelPassword=…]
    ///     rediss+sentinel://…                                   encrypted, the sentinels too
    ///
    /// User, password and names may be percent-encoded.
    /// - Parameter caFile: PEM certificates that are trusted instead of the system's.
    /// - Throws: ``RedisConfigurationError``, whose text never holds a password.
    public init(url: String, caFile: String? = nil) throws(RedisConfigurationError) {
        let parsed = try RedisURL(url)
        target = parsed.target
        credentials = parsed.credentials
        sentinelCredentials = parsed.sentinelCredentials
        database = parsed.database
        if parsed.isEncrypted { tls = try RedisTLS(caFile: caFile) }
    }
}

extension RedisConfiguration: CustomStringConvertible {
    /// For logs: without passwords.
    public var description: String {
        let scheme = tls == nil ? "redis" : "rediss"
        switch target {
        case .server(let address): return "\(scheme)://\(address)/\(database)"
        case .sentinels(let addresses, let master):
            return "\(scheme)+sentinel://\(addresses.map(\.description).joined(separator: ","))/\(master)/\(database)"
        }
    }
}

/// A URL or file that cannot be used.
public struct RedisConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}

/// What encryption takes; made once, because reading certificates is slow.
public struct RedisTLS: Sendable {
    let context: NIOSSLContext

    /// - Parameter caFile: PEM certificates that are trusted instead of the system's.
    /// - Throws: ``RedisConfigurationError`` if the file cannot be read or holds no certificate.
    public init(caFile: String? = nil) throws(RedisConfigurationError) {
        var configuration = TLSConfiguration.makeClientConfiguration()
        do {
            if let caFile {
                let certificates = try NIOSSLCertificate.fromPEMFile(caFile)
                guard !certificates.isEmpty else { throw RedisConfigurationError("\(caFile) holds no certificate") }
                configuration.trustRoots = .certificates(certificates)
            }
            context = try NIOSSLContext(configuration: configuration)
        } catch let error as RedisConfigurationError {
            throw error
        } catch {
            throw RedisConfigurationError("the certificates in \(caFile ?? "the system's store") cannot be used: \(error)")
        }
    }
}
