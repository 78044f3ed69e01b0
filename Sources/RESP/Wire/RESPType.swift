/// The first byte of a value.
enum RESPType: UInt8, Sendable {
    case simpleString = 0x2B  // +
    case error = 0x2D  // -
    case integer = 0x3A  // :
    case blobString = 0x24  // $
    case array = 0x2A  // *
    case null = 0x5F  // _
    case boolean = 0x23  // #
    case double = 0x2C  // ,
    case bigNumber = 0x28  // (
    case blobError = 0x21  // !
    case verbatim = 0x3D  // =
    case map = 0x25  // %
    case set = 0x7E  // ~
    case push = 0x3E  // >
    case attribute = 0x7C  // |
}

/// An array, map, set, push or attribute that is being read.
struct RESPAggregate: Sendable {
    let type: RESPType
    /// Of a map twice as many as it has pairs.
    private let count: Int
    private var elements: [RESPValue] = []

    init(_ type: RESPType, count: Int) {
        self.type = type
        self.count = count
        // What a length promises is not believed before it comes.
        elements.reserveCapacity(min(count, 64))
    }

    var isComplete: Bool { elements.count == count }

    mutating func append(_ value: RESPValue) { elements.append(value) }

    var value: RESPValue {
        switch type {
        case .set: .set(elements)
        case .push: .push(elements)
        case .map:
            .map(stride(from: 0, to: elements.count, by: 2).map { RESPValue.Entry(key: elements[$0], value: elements[$0 + 1]) })
        default: .array(elements)
        }
    }
}
