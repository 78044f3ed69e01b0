public import NIOCore

/// Signals between instances. What is published reaches every other instance that is connected, in the order of its publisher, at most once.
public protocol MessageBus: Sendable {
    /// Tells the other instances. Nobody waits for it; while the store is away it is lost, and every receiver is told of the gap.
    func publish(_ message: BusMessage)
    /// What the bus calls; set once. Calls come one at a time.
    func onMessage(_ handler: any BusHandler)
}

/// A signal.
public struct BusMessage: Sendable, Hashable {
    /// What it is about.
    public let topic: Topic
    public let payload: ByteBuffer

    public init(topic: Topic, payload: ByteBuffer) {
        self.topic = topic
        self.payload = payload
    }

    public struct Topic: Sendable, Hashable {
        public let name: String
        public init(name: String) { self.name = name }
    }
}

/// Takes what comes over the bus.
public protocol BusHandler: AnyObject, Sendable {
    /// A signal of another instance.
    func received(_ message: BusMessage, from sender: InstanceIdentity)
    /// Signals may have been missed, of one instance or (nil) of all: whatever they could have said must be looked up.
    func missedMessages(from sender: InstanceIdentity?)
}
