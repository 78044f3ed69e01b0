/// One life of an instance: its configured name and a number that no other life of any instance has.
public struct InstanceIdentity: Sendable, Hashable, CustomStringConvertible {
    /// `gateway.instanceID`.
    public let name: String
    /// Drawn from the shared store at the start; greater than that of every life before.
    public let incarnation: UInt64

    public init(name: String, incarnation: UInt64) {
        self.name = name
        self.incarnation = incarnation
    }

    public var description: String { "\(name)/\(incarnation)" }
}

/// What instances know of each other.
public struct InstanceRecord: Sendable, Hashable {
    public let identity: InstanceIdentity
    /// Where other instances reach it (`cluster.address`).
    public let address: InstanceAddress
    public let version: String
    /// `gateway.colour`.
    public let colour: String?
    public let startedAt: WallTime
    /// Whether it is on its way out: it takes nothing new.
    public var isDraining: Bool

    public init(
        identity: InstanceIdentity, address: InstanceAddress, version: String, colour: String?, startedAt: WallTime,
        isDraining: Bool = false
    ) {
        self.identity = identity
        self.address = address
        self.version = version
        self.colour = colour
        self.startedAt = startedAt
        self.isDraining = isDraining
    }
}

/// Whether the instance may act for what it owns.
public enum Lease: Sendable, Hashable {
    /// The others take the instance for alive. The generation counts how often the lease had lapsed before: what was owned under an older
    /// one may have been taken over and must be claimed again.
    case held(generation: UInt64)
    /// The store has not heard of the instance for the time of the lease, or cannot be reached: others may have taken over what it owned.
    case lapsed(generation: UInt64)
}

/// The instances that share a store. The instance registers itself at the start and is heard of again and again until it leaves; both
/// are the directory's own work.
public protocol InstanceDirectory: Sendable {
    /// This instance.
    var identity: InstanceIdentity { get }
    /// Where other instances reach this one.
    var address: String { get }
    /// By the monotonic clock of this process, so that an instance that was frozen knows it at once. Waits for nothing.
    var lease: Lease { get }
    /// The other instances that are alive, as of the last heartbeat that the store took; kept while the store is away.
    var peers: [InstanceRecord] { get }
    /// Tells the others that this instance takes nothing new.
    func beginDraining()
    /// Looks up the others now, and not at the next heartbeat.
    func refresh()
    /// `body` is called once when another process has taken over the name of this instance: this one can own nothing any more.
    func onReplaced(_ body: @escaping @Sendable () -> Void)
}
