/// Walks over JSON bytes and validates them (RFC 8259, UTF-8 included) without building values.
///
/// `next*` functions advance `position`; after an error the scanner is not used again.
struct JSONScanner {
    let bytes: UnsafeRawBufferPointer
    let maxDepth: Int
    var position = 0
    /// Whether a line break was seen between tokens; such a message is not one line of the stdio transport yet.
    var sawLineBreak = false
    /// No member of the object that was entered last has been taken.
    private var isFirstMember = false
    /// Offset of the closing quote of the key that was read last.
    private var keyEnd = 0

    init(_ bytes: UnsafeRawBufferPointer, maxDepth: Int) {
        self.bytes = bytes
        self.maxDepth = maxDepth
    }

    mutating func skipWhitespace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09: position += 1
            case 0x0A, 0x0D:
                sawLineBreak = true
                position += 1
            default: return
            }
        }
    }

    func peek() throws(JSONScanError) -> UInt8 {
        guard position < bytes.count else { throw JSONScanError(.unexpectedEnd, at: position) }
        return bytes[position]
    }

    mutating func expect(_ byte: UInt8) throws(JSONScanError) {
        guard try peek() == byte else { throw JSONScanError(.unexpectedByte, at: position) }
        position += 1
    }

    /// Validates the value at `position` and returns its span. Iterative, so depth costs no stack.
    mutating func nextValue(depth startDepth: Int) throws(JSONScanError) -> JSONSpan {
        let start = position
        // One bit per open container would bound the depth at 64; an array of flags does not.
        var containers = ContainerStack()
        var depth = startDepth
        while true {
            // A value is due.
            switch try peek() {
            case UInt8(ascii: "\""):
                try skipString()
            case UInt8(ascii: "{"):
                position += 1
                depth += 1
                guard depth <= maxDepth else { throw JSONScanError(.tooDeep, at: position) }
                skipWhitespace()
                if try peek() == UInt8(ascii: "}") {
                    position += 1
                    depth -= 1
                } else {
                    containers.push(isObject: true)
                    try skipKey()
                    continue
                }
            case UInt8(ascii: "["):
                position += 1
                depth += 1
                guard depth <= maxDepth else { throw JSONScanError(.tooDeep, at: position) }
                skipWhitespace()
                if try peek() == UInt8(ascii: "]") {
                    position += 1
                    depth -= 1
                } else {
                    containers.push(isObject: false)
                    continue
                }
            case UInt8(ascii: "t"): try skipLiteral("true")
            case UInt8(ascii: "f"): try skipLiteral("false")
            case UInt8(ascii: "n"): try skipLiteral("null")
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try skipNumber()
            default: throw JSONScanError(.unexpectedByte, at: position)
            }
            // A value has ended: close containers, or go on to the next member.
            while true {
                guard let isObject = containers.top else { return JSONSpan(start, position) }
                skipWhitespace()
                let byte = try peek()
                if byte == UInt8(ascii: ",") {
                    position += 1
                    skipWhitespace()
                    if isObject { try skipKey() }
                    break
                }
                guard byte == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
                    throw JSONScanError(.unexpectedByte, at: position)
                }
                position += 1
                depth -= 1
                containers.pop()
            }
        }
    }

    // MARK: Objects, member by member

    /// Enters the object at `position`; its members are then taken with `nextKey` and `nextValue`.
    mutating func beginObject(depth: Int) throws(JSONScanError) {
        try expect(UInt8(ascii: "{"))
        guard depth < maxDepth else { throw JSONScanError(.tooDeep, at: position) }
        skipWhitespace()
        isFirstMember = true
    }

    /// The next key between its quotes, with its offset, `position` then being at its value; nil after the object's end.
    mutating func nextKey() throws(JSONScanError) -> (UnsafeRawBufferPointer, Int)? {
        skipWhitespace()
        if try peek() == UInt8(ascii: "}") {
            // "{}" or "{…}", but not "{…,}": after a comma a key is due.
            position += 1
            isFirstMember = false
            return nil
        }
        if !isFirstMember {
            try expect(UInt8(ascii: ","))
            skipWhitespace()
        }
        isFirstMember = false
        let start = position
        try skipKey()
        return (UnsafeRawBufferPointer(rebasing: bytes[start + 1..<keyEnd]), start)
    }

    private mutating func skipKey() throws(JSONScanError) {
        guard try peek() == UInt8(ascii: "\"") else { throw JSONScanError(.unexpectedByte, at: position) }
        try skipString()
        keyEnd = position - 1
        skipWhitespace()
        try expect(UInt8(ascii: ":"))
        skipWhitespace()
    }

    private mutating func skipLiteral(_ literal: StaticString) throws(JSONScanError) {
        let count = literal.utf8CodeUnitCount
        for offset in 0..<count {
            guard position + offset < bytes.count else { throw JSONScanError(.unexpectedEnd, at: bytes.count) }
            guard bytes[position + offset] == literal.utf8Start[offset] else {
                throw JSONScanError(.unexpectedByte, at: position + offset)
            }
        }
        position += count
    }

    private mutating func skipNumber() throws(JSONScanError) {
        let start = position
        if bytes[position] == UInt8(ascii: "-") { position += 1 }
        guard position < bytes.count else { throw JSONScanError(.unexpectedEnd, at: position) }
        if bytes[position] == UInt8(ascii: "0") {
            position += 1
        } else {
            guard skipDigits() > 0 else { throw JSONScanError(.invalidNumber, at: start) }
        }
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            position += 1
            guard skipDigits() > 0 else { throw JSONScanError(.invalidNumber, at: start) }
        }
        if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
            position += 1
            if position < bytes.count, bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-") { position += 1 }
            guard skipDigits() > 0 else { throw JSONScanError(.invalidNumber, at: start) }
        }
        // "01" and "1a" are caught by what must follow a value.
    }

    private mutating func skipDigits() -> Int {
        let start = position
        while position < bytes.count, bytes[position] &- UInt8(ascii: "0") < 10 { position += 1 }
        return position - start
    }

    /// Validates the string that starts at `position` (with its quotes).
    mutating func skipString() throws(JSONScanError) {
        position += 1
        let count = bytes.count
        while position < count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") {
                position += 1
                return
            }
            if byte == UInt8(ascii: "\\") {
                try skipEscape()
            } else if byte < 0x20 {
                throw JSONScanError(.controlCharacter, at: position)
            } else if byte < 0x80 {
                position += 1
            } else {
                try skipMultibyte()
            }
        }
        throw JSONScanError(.unexpectedEnd, at: count)
    }

    private mutating func skipEscape() throws(JSONScanError) {
        guard position + 1 < bytes.count else { throw JSONScanError(.unexpectedEnd, at: bytes.count) }
        switch bytes[position + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "n"),
            UInt8(ascii: "r"), UInt8(ascii: "t"):
            position += 2
        case UInt8(ascii: "u"):
            guard position + 5 < bytes.count else { throw JSONScanError(.unexpectedEnd, at: bytes.count) }
            for offset in 2..<6 where Hexadecimal.value(of: bytes[position + offset]) == nil {
                throw JSONScanError(.invalidEscape, at: position)
            }
            position += 6
        default:
            throw JSONScanError(.invalidEscape, at: position)
        }
    }

    /// One UTF-8 sequence of two to four bytes; overlong forms, surrogates and values over U+10FFFF are refused (RFC 3629).
    private mutating func skipMultibyte() throws(JSONScanError) {
        let first = bytes[position]
        let length: Int
        var secondRange: ClosedRange<UInt8> = 0x80...0xBF
        switch first {
        case 0xC2...0xDF: length = 2
        case 0xE0:
            length = 3
            secondRange = 0xA0...0xBF
        case 0xED:
            length = 3
            secondRange = 0x80...0x9F
        case 0xE1...0xEF: length = 3
        case 0xF0:
            length = 4
            secondRange = 0x90...0xBF
        case 0xF1...0xF3: length = 4
        case 0xF4:
            length = 4
            secondRange = 0x80...0x8F
        default: throw JSONScanError(.invalidUTF8, at: position)
        }
        guard position + length <= bytes.count else { throw JSONScanError(.unexpectedEnd, at: bytes.count) }
        guard secondRange.contains(bytes[position + 1]) else { throw JSONScanError(.invalidUTF8, at: position) }
        for offset in 2..<max(length, 2) where bytes[position + offset] & 0xC0 != 0x80 {
            throw JSONScanError(.invalidUTF8, at: position)
        }
        position += length
    }
}

/// Which containers are open, innermost last: bits for the first 64, an array beyond.
private struct ContainerStack {
    private var bits: UInt64 = 0
    private var count = 0
    private var spill: [Bool] = []

    var top: Bool? {
        if count == 0 { return nil }
        return count > 64 ? spill[count - 65] : (bits >> UInt64(count - 1)) & 1 == 1
    }

    mutating func push(isObject: Bool) {
        if count < 64 {
            let bit: UInt64 = 1 << UInt64(count)
            bits = isObject ? bits | bit : bits & ~bit
        } else {
            spill.append(isObject)
        }
        count += 1
    }

    mutating func pop() {
        count -= 1
        if count >= 64 { spill.removeLast() }
    }
}
