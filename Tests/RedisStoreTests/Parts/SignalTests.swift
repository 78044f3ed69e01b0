import GatewayCore
import NIOCore
import Testing

@testable import RedisStore

@Suite("Signals that were missed")
struct SignalTests {
    private let a = InstanceIdentity(name: "a", incarnation: 1)
    private let b = InstanceIdentity(name: "b", incarnation: 2)

    @Test("shows a gap between the signals of one sender, and drops what came before")
    func gap() {
        var sequences = SignalSequences()
        #expect(sequences.received(1, from: a) == .deliver)
        #expect(sequences.received(2, from: a) == .deliver)
        #expect(sequences.received(1, from: b) == .deliver)
        #expect(sequences.received(4, from: a) == .deliverAfterGap)
        #expect(sequences.received(4, from: a) == .drop)
        #expect(sequences.received(5, from: a) == .deliver)
    }

    @Test("takes a sender that it does not know from where it is, by heartbeat; by signal something may be missing")
    func first() {
        var sequences = SignalSequences()
        #expect(sequences.heard(of: [(a, 7)]) == [])
        // The newest may come after the heartbeat.
        #expect(sequences.received(7, from: a) == .deliver)
        #expect(sequences.received(8, from: a) == .deliver)
        #expect(sequences.received(3, from: b) == .deliverAfterGap)
        #expect(sequences.received(1, from: InstanceIdentity(name: "a", incarnation: 3)) == .deliver)
    }

    @Test("finds a lost newest signal by the second heartbeat, once")
    func last() {
        var sequences = SignalSequences()
        _ = sequences.heard(of: [(a, 0), (b, 0)])
        _ = sequences.received(1, from: a)
        #expect(sequences.heard(of: [(a, 2), (b, 0)]) == [])
        #expect(sequences.heard(of: [(a, 2), (b, 0)]) == [a])
        #expect(sequences.heard(of: [(a, 2), (b, 0)]) == [])
        #expect(sequences.heard(of: [(a, 3), (b, 0)]) == [])
        // It was only slow.
        #expect(sequences.received(3, from: a) == .deliver)
        #expect(sequences.heard(of: [(a, 3), (b, 0)]) == [])
    }

    @Test("passes the wire as it is, and what is no signal is ignored")
    func envelope() {
        let message = BusMessage(topic: .init(name: "töpic"), payload: ByteBuffer(bytes: [0, 1, 255]))
        let envelope = SignalEnvelope(sender: InstanceIdentity(name: "ü/1", incarnation: .max), number: 42, message: message)
        #expect(SignalEnvelope(envelope.bytes) == envelope)
        for length in 0..<(envelope.bytes.readableBytes - 3) {
            #expect(SignalEnvelope(envelope.bytes.getSlice(at: 0, length: length) ?? ByteBuffer()) == nil)
        }
        #expect(SignalEnvelope(ByteBuffer(string: "hello")) == nil)
    }
}
