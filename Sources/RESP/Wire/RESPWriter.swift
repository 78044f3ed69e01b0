public import NIOCore

/// Writes RESP.
enum RESPWriter {
    /// The first line of an aggregate or blob.
    static func writeHead(_ type: RESPType, _ count: Int, to buffer: inout ByteBuffer) {
        buffer.writeInteger(type.rawValue)
        writeDecimal(Int64(count), to: &buffer)
        buffer.writeStaticString("\r\n")
    }

    static func writeBlob(_ bytes: ByteBuffer, to buffer: inout ByteBuffer) {
        writeHead(.blobString, bytes.readableBytes, to: &buffer)
        buffer.writeImmutableBuffer(bytes)
        buffer.writeStaticString("\r\n")
    }

    static func writeBlob(_ text: String, to buffer: inout ByteBuffer) {
        writeHead(.blobString, text.utf8.count, to: &buffer)
        buffer.writeString(text)
        buffer.writeStaticString("\r\n")
    }

    static func writeDecimal(_ number: Int64, to buffer: inout ByteBuffer) {
        // `String(number)` holds up to 15 digits without an allocation, which is what lengths have.
        buffer.writeString(String(number))
    }
}

extension RESPValue {
    /// Writes the value as RESP3.
    public func write(to buffer: inout ByteBuffer) {
        switch self {
        case .null: buffer.writeStaticString("_\r\n")
        case .simpleString(let text): Self.writeLine(.simpleString, text, to: &buffer)
        case .error(let error) where error.message.utf8.contains(where: { $0 == 0x0D || $0 == 0x0A }):
            RESPWriter.writeHead(.blobError, error.message.utf8.count, to: &buffer)
            buffer.writeString(error.message)
            buffer.writeStaticString("\r\n")
        case .error(let error): Self.writeLine(.error, error.message, to: &buffer)
        case .blobString(let bytes): RESPWriter.writeBlob(bytes, to: &buffer)
        case .integer(let number): Self.writeLine(.integer, String(number), to: &buffer)
        case .double(let number):
            let text = number.isNaN ? "nan" : number.isInfinite ? (number < 0 ? "-inf" : "inf") : String(number)
            Self.writeLine(.double, text, to: &buffer)
        case .boolean(let isTrue): buffer.writeStaticString(isTrue ? "#t\r\n" : "#f\r\n")
        case .bigNumber(let digits): Self.writeLine(.bigNumber, digits, to: &buffer)
        case .verbatim(let format, let bytes):
            RESPWriter.writeHead(.verbatim, bytes.readableBytes + 4, to: &buffer)
            buffer.writeString(format)
            buffer.writeStaticString(":")
            buffer.writeImmutableBuffer(bytes)
            buffer.writeStaticString("\r\n")
        case .array(let elements): Self.write(.array, elements, to: &buffer)
        case .set(let elements): Self.write(.set, elements, to: &buffer)
        case .push(let elements): Self.write(.push, elements, to: &buffer)
        case .map(let entries):
            RESPWriter.writeHead(.map, entries.count, to: &buffer)
            for entry in entries {
                entry.key.write(to: &buffer)
                entry.value.write(to: &buffer)
            }
        }
    }

    private static func write(_ type: RESPType, _ elements: [RESPValue], to buffer: inout ByteBuffer) {
        RESPWriter.writeHead(type, elements.count, to: &buffer)
        for element in elements { element.write(to: &buffer) }
    }

    private static func writeLine(_ type: RESPType, _ text: String, to buffer: inout ByteBuffer) {
        buffer.writeInteger(type.rawValue)
        buffer.writeString(text)
        buffer.writeStaticString("\r\n")
    }
}
