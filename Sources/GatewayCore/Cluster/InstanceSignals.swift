import NIOCore

/// What instances tell each other at once: that one has come, or is leaving. All else they learn by the directory, at the latest with the next
/// heartbeat.
final class InstanceSignals: BusHandler {
    private let cluster: ClusterServices

    init(_ cluster: ClusterServices) { self.cluster = cluster }

    /// Tells the others to look the instances up.
    func changed() { cluster.bus.publish(BusMessage(topic: .instances, payload: ByteBuffer())) }

    func received(_ message: BusMessage, from sender: InstanceIdentity) {
        if message.topic == .instances { cluster.directory.refresh() }
    }

    func missedMessages(from sender: InstanceIdentity?) { cluster.directory.refresh() }
}

extension BusMessage.Topic {
    /// Who is there has changed.
    static let instances = BusMessage.Topic(name: "instances")
}
