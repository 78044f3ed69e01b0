/// What a gateway that is one of several instances works with. One that is alone has none of it.
public struct ClusterServices: Sendable {
    public let directory: any InstanceDirectory
    public let ownership: any Ownership
    public let bus: any MessageBus

    public init(directory: any InstanceDirectory, ownership: any Ownership, bus: any MessageBus) {
        self.directory = directory
        self.ownership = ownership
        self.bus = bus
    }
}
