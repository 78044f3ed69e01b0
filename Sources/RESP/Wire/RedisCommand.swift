public import NIOCore

/// An argument of a command: bytes, text or a number. Literals and interpolations are text, integer literals numbers.
public enum RedisArgument: Sendable, Hashable {
    case bytes(ByteBuffer)
    case text(String)
    case integer(Int64)

    public static func integer(_ number: Int) -> RedisArgument { .integer(Int64(number)) }

    func write(to buffer: inout ByteBuffer) {
        switch self {
        case .bytes(let bytes): RESPWriter.writeBlob(bytes, to: &buffer)
        case .text(let text): RESPWriter.writeBlob(text, to: &buffer)
        case .integer(let number): RESPWriter.writeBlob(String(number), to: &buffer)
        }
    }

    /// About as many bytes as it takes on the wire.
    var size: Int {
        switch self {
        case .bytes(let bytes): bytes.readableBytes + 16
        case .text(let text): text.utf8.count + 16
        case .integer: 32
        }
    }
}

extension RedisArgument: ExpressibleByStringLiteral, ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral {
    public init(stringLiteral value: String) { self = .text(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
}

/// A command with its arguments, encoded once.
public struct RedisCommand: Sendable {
    /// The command's name, for logs; arguments may be secret.
    public let name: StaticString
    let bytes: ByteBuffer

    /// - Parameter name: one word; a subcommand is an argument: `RedisCommand("CLIENT", "ID")`.
    public init(_ name: StaticString, _ arguments: RedisArgument...) {
        self.init(name, arguments: arguments)
    }

    /// As ``init(_:_:)``, with the arguments as a list.
    public init(_ name: StaticString, arguments: [RedisArgument]) {
        self.name = name
        var buffer = ByteBufferAllocator().buffer(capacity: arguments.reduce(32) { $0 + $1.size })
        RESPWriter.writeHead(.array, arguments.count + 1, to: &buffer)
        RESPWriter.writeHead(.blobString, name.utf8CodeUnitCount, to: &buffer)
        buffer.writeStaticString(name)
        buffer.writeStaticString("\r\n")
        for argument in arguments { argument.write(to: &buffer) }
        bytes = buffer
    }
}
