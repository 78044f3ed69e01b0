import GatewayCore
import NIOCore
import ServerSentEvents

/// `EventID`: what a client sends back as `Last-Event-ID` is what it got, and nothing else is taken for one.
enum EventIDTarget {
    static func run(_ input: UnsafeRawBufferPointer) {
        let text = String(decoding: input, as: UTF8.self)
        if let id = EventID(text) {
            require(EventID(id.description) == id, "parse(print(x)) == x for \(id)")
            require(id.description.utf8.count <= text.utf8.count, "an id is not longer than what it was read from")
            require(
                id.stream.value.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x7A).contains($0) }, "a stream has a plain name")
        }
        // Made from the input: the first letters name the stream, the rest is the number.
        let name = String(decoding: input.prefix(32).filter { (0x30...0x39).contains($0) || (0x61...0x7A).contains($0) }, as: UTF8.self)
        guard !name.isEmpty else { return }
        var sequence: UInt64 = 0
        for byte in input.suffix(8) { sequence = sequence << 8 | UInt64(byte) }
        let id = EventID(stream: StreamID(name), sequence: sequence)
        require(EventID(id.description) == id, "parse(print(x)) == x for \(id)")
        require(EventID(Substring("\(id)")) == id, "a substring is read like a string")

        var event = ByteBuffer()
        SSEEncoder.write(ByteBuffer(string: "{}"), id: SSEEventID(stream: name, sequence: sequence), to: &event)
        var parser = SSEParser(maxEventBytes: 1024)
        parser.append(event)
        let sent = (try? parser.next())?.id
        require(sent.flatMap { EventID($0) } == id, "the id of an event on the wire is its id: \(sent ?? "none")")
    }
}
