/// Reads JSON into `DocumentNode`s. Foundation's and Yams' parsers lose the order of keys, duplicates, number text or lines, all of
/// which messages and `import` need.
struct JSONDocumentParser {
    static let maxDepth = 64

    private let bytes: [UInt8]
    private let allowsComments: Bool
    private var position = 0
    private var line = 1

    static func parse(_ text: String, allowsComments: Bool) throws(DocumentError) -> DocumentNode {
        var parser = JSONDocumentParser(bytes: Array(text.utf8), allowsComments: allowsComments)
        if parser.bytes.starts(with: [0xEF, 0xBB, 0xBF]) { parser.position = 3 }
        try parser.skipSpace()
        let node = try parser.value(depth: 0)
        try parser.skipSpace()
        if parser.peek != nil { throw parser.error("unexpected text after the end of the value") }
        return node
    }

    private init(bytes: [UInt8], allowsComments: Bool) {
        self.bytes = bytes
        self.allowsComments = allowsComments
    }

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private func error(_ message: String) -> DocumentError { DocumentError(line: line, message: message) }

    private func unexpected(_ wanted: String) -> DocumentError {
        guard let byte = peek else { return error("the file ends where \(wanted) is expected") }
        let shown = byte > 0x20 && byte < 0x7F ? "\"\(Character(Unicode.Scalar(byte)))\"" : "byte \(byte)"
        return error("found \(shown) where \(wanted) is expected")
    }

    private mutating func skipSpace() throws(DocumentError) {
        while let byte = peek {
            switch byte {
            case UInt8(ascii: "\n"):
                line += 1
                position += 1
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): position += 1
            case UInt8(ascii: "/"): try skipComment()
            default: return
            }
        }
    }

    private mutating func skipComment() throws(DocumentError) {
        guard position + 1 < bytes.count, [UInt8(ascii: "/"), UInt8(ascii: "*")].contains(bytes[position + 1]) else {
            throw unexpected("a value")
        }
        guard allowsComments else { throw error("JSON has no comments; remove it, or write the file as YAML") }
        let isBlock = bytes[position + 1] == UInt8(ascii: "*")
        let start = line
        position += 2
        while let byte = peek {
            if !isBlock, byte == UInt8(ascii: "\n") { return }
            if byte == UInt8(ascii: "\n") { line += 1 }
            position += 1
            if isBlock, byte == UInt8(ascii: "*"), peek == UInt8(ascii: "/") {
                position += 1
                return
            }
        }
        if isBlock { throw DocumentError(line: start, message: "the comment has no end") }
    }

    private mutating func value(depth: Int) throws(DocumentError) -> DocumentNode {
        guard depth < Self.maxDepth else { throw error("more than \(Self.maxDepth) levels of nesting") }
        let start = line
        switch peek {
        case UInt8(ascii: "{"): return DocumentNode(value: .object(try object(depth: depth)), line: start)
        case UInt8(ascii: "["): return DocumentNode(value: .array(try array(depth: depth)), line: start)
        case UInt8(ascii: "\""): return DocumentNode(value: .string(try string()), line: start)
        case UInt8(ascii: "t") where take("true"): return DocumentNode(value: .bool(true, text: "true"), line: start)
        case UInt8(ascii: "f") where take("false"): return DocumentNode(value: .bool(false, text: "false"), line: start)
        case UInt8(ascii: "n") where take("null"): return DocumentNode(value: .null, line: start)
        case let byte? where byte == UInt8(ascii: "-") || Self.isDigit(byte):
            return DocumentNode(value: .number(try number()), line: start)
        default: throw unexpected("a value")
        }
    }

    private mutating func take(_ word: StaticString) -> Bool {
        let length = word.utf8CodeUnitCount
        let matches = word.withUTF8Buffer { position + length <= bytes.count && bytes[position..<position + length].elementsEqual($0) }
        if matches { position += length }
        return matches
    }

    private mutating func object(depth: Int) throws(DocumentError) -> [DocumentNode.Member] {
        position += 1
        var members: [DocumentNode.Member] = []
        try skipSpace()
        while peek != UInt8(ascii: "}") {
            guard peek == UInt8(ascii: "\"") else {
                throw unexpected(members.isEmpty ? "a key in double quotes or }" : "a key in double quotes")
            }
            let keyLine = line
            let key = try string()
            try skipSpace()
            guard peek == UInt8(ascii: ":") else { throw unexpected("\":\"") }
            position += 1
            try skipSpace()
            members.append(DocumentNode.Member(key: key, line: keyLine, value: try value(depth: depth + 1)))
            if try endsAfterSeparator(close: UInt8(ascii: "}"), name: "\",\" or \"}\"") { break }
        }
        position += 1
        return members
    }

    private mutating func array(depth: Int) throws(DocumentError) -> [DocumentNode] {
        position += 1
        var elements: [DocumentNode] = []
        try skipSpace()
        while peek != UInt8(ascii: "]") {
            elements.append(try value(depth: depth + 1))
            if try endsAfterSeparator(close: UInt8(ascii: "]"), name: "\",\" or \"]\"") { break }
        }
        position += 1
        return elements
    }

    /// Consumes the comma and the space around it; true at the closing bracket, which stays.
    private mutating func endsAfterSeparator(close: UInt8, name: String) throws(DocumentError) -> Bool {
        try skipSpace()
        if peek == close { return true }
        guard peek == UInt8(ascii: ",") else { throw unexpected(name) }
        position += 1
        try skipSpace()
        guard peek == close else { return false }
        guard allowsComments else { throw error("JSON allows no comma before the closing bracket") }
        return true
    }

    private mutating func number() throws(DocumentError) -> String {
        let start = position
        if peek == UInt8(ascii: "-") { position += 1 }
        let first = peek
        let whole = digits()
        guard whole > 0, !(first == UInt8(ascii: "0") && whole > 1) else { throw error("this is not a JSON number") }
        if peek == UInt8(ascii: ".") {
            position += 1
            guard digits() > 0 else { throw error("this is not a JSON number") }
        }
        if peek == UInt8(ascii: "e") || peek == UInt8(ascii: "E") {
            position += 1
            if peek == UInt8(ascii: "+") || peek == UInt8(ascii: "-") { position += 1 }
            guard digits() > 0 else { throw error("this is not a JSON number") }
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func digits() -> Int {
        let start = position
        while let byte = peek, Self.isDigit(byte) { position += 1 }
        return position - start
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private mutating func string() throws(DocumentError) -> String {
        position += 1
        var result: [UInt8] = []
        while let byte = peek {
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: result, as: UTF8.self)
            case UInt8(ascii: "\\"): try appendEscape(to: &result)
            case 0..<0x20: throw error("a string must not contain a line break or control character; write \\n")
            default: result.append(byte)
            }
        }
        throw error("the string has no closing quote")
    }

    private mutating func appendEscape(to result: inout [UInt8]) throws(DocumentError) {
        guard let byte = peek else { throw error("the string has no closing quote") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(byte)
        case UInt8(ascii: "b"): result.append(0x08)
        case UInt8(ascii: "f"): result.append(0x0C)
        case UInt8(ascii: "n"): result.append(0x0A)
        case UInt8(ascii: "r"): result.append(0x0D)
        case UInt8(ascii: "t"): result.append(0x09)
        case UInt8(ascii: "u"): result.append(contentsOf: Array(String(Character(try unicodeEscape())).utf8))
        default: throw error("a backslash must be followed by one of \" \\ / b f n r t u")
        }
    }

    private mutating func unicodeEscape() throws(DocumentError) -> Unicode.Scalar {
        let high = try fourHexDigits()
        if let scalar = Unicode.Scalar(high) { return scalar }
        guard (0xD800..<0xDC00).contains(high), take("\\u") else { throw error("\\u escape of half a surrogate pair") }
        let low = try fourHexDigits()
        guard (0xDC00..<0xE000).contains(low), let scalar = Unicode.Scalar(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)) else {
            throw error("\\u escape of half a surrogate pair")
        }
        return scalar
    }

    private mutating func fourHexDigits() throws(DocumentError) -> UInt32 {
        let end = position + 4
        guard end <= bytes.count, let code = UInt32(String(decoding: bytes[position..<end], as: UTF8.self), radix: 16),
            bytes[position] != UInt8(ascii: "+")
        else { throw error("\\u must be followed by four hexadecimal digits") }
        position = end
        return code
    }
}
