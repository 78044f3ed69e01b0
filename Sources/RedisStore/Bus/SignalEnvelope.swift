import GatewayCore
import NIOCore

/// A signal on the wire: version 1, sender (name, incarnation), number, topic, payload. Integers are big-endian, texts have their length before them.
struct SignalEnvelope: Equatable {
    let sender: InstanceIdentity
    let number: UInt64
    let message: BusMessage

    private static let version: UInt8 = 1

    init(sender: InstanceIdentity, number: UInt64, message: BusMessage) {
        self.sender = sender
        self.number = number
        self.message = message
    }

    /// Nil for what no instance of this version wrote.
    init?(_ bytes: ByteBuffer) {
        var bytes = bytes
        guard bytes.readInteger(as: UInt8.self) == Self.version, let name = Self.text(&bytes),
            let incarnation = bytes.readInteger(as: UInt64.self), let number = bytes.readInteger(as: UInt64.self),
            let topic = Self.text(&bytes)
        else { return nil }
        sender = InstanceIdentity(name: name, incarnation: incarnation)
        self.number = number
        // Its own memory: what was read from the socket is one large buffer.
        message = BusMessage(topic: .init(name: topic), payload: ByteBuffer(bytes: bytes.readableBytesView))
    }

    var bytes: ByteBuffer {
        var bytes = ByteBufferAllocator().buffer(capacity: 64 + message.payload.readableBytes)
        bytes.writeInteger(Self.version)
        Self.write(sender.name, to: &bytes)
        bytes.writeInteger(sender.incarnation)
        bytes.writeInteger(number)
        Self.write(message.topic.name, to: &bytes)
        bytes.writeImmutableBuffer(message.payload)
        return bytes
    }

    private static func write(_ text: String, to bytes: inout ByteBuffer) {
        let utf8 = text.utf8.prefix(Int(UInt16.max))
        bytes.writeInteger(UInt16(utf8.count))
        bytes.writeBytes(utf8)
    }

    private static func text(_ bytes: inout ByteBuffer) -> String? {
        bytes.readInteger(as: UInt16.self).flatMap { bytes.readString(length: Int($0)) }
    }
}
