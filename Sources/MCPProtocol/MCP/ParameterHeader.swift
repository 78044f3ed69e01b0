import NIOCore

/// A tool's parameter that its calls over HTTP repeat in a header field: an `x-mcp-header` annotation in the tool's `inputSchema`
/// (2026-07-28, basic/transports/streamable-http, "Custom Headers from Tool Parameters").
public struct ParameterHeader: Sendable, Hashable {
    /// What stands before the annotation's value in the field's name.
    public static let prefix = "Mcp-Param-"

    /// The type of the parameter.
    public enum Kind: Sendable, Hashable {
        case string, integer, boolean
    }

    /// The field's name without its prefix, as the schema writes it.
    public let name: String
    /// The members that lead to the value in `arguments`.
    public let path: [String]
    public let kind: Kind

    /// Why a schema's annotations cannot be used; clients over HTTP leave such a tool out.
    public struct Invalid: Error, Sendable, Hashable, CustomStringConvertible {
        public let description: String
    }

    /// The annotations of a schema, in its order.
    public static func annotations(of schema: JSONSpan, in json: JSONText) throws(Invalid) -> [ParameterHeader] {
        var walk = SchemaWalk(json: json)
        walk.visit(schema, path: [])
        if let problem = walk.problem { throw Invalid(description: problem) }
        return walk.found
    }

    /// Whether bytes can hold an annotation at all: most schemas have none and are not looked at.
    public static func mayStand(in json: JSONText) -> Bool {
        // A key may be written with escapes, those of ASCII begin alike.
        contains("x-mcp-header", json) || contains("\\u00", json)
    }

    private static func contains(_ text: StaticString, _ json: JSONText) -> Bool {
        let (needle, length) = (text.utf8Start, text.utf8CodeUnitCount)
        return json.bytes.withUnsafeReadableBytes { bytes in
            var index = 0
            while index <= bytes.count - length {
                if bytes[index] == needle[0], (1..<length).allSatisfy({ bytes[index + $0] == needle[$0] }) { return true }
                index += 1
            }
            return false
        }
    }

    /// Where the value lies in `arguments`; absent when it is missing or null. Of members of one name the last counts, as for most readers.
    public func span(in json: JSONText, arguments: JSONSpan) -> JSONSpan {
        let span = spans(in: json, arguments: arguments).last ?? .absent
        return json.equals(span, "null") ? .absent : span
    }

    /// Everything at the path in `arguments`: more than one value when a member on the way stands twice.
    public func spans(in json: JSONText, arguments: JSONSpan) -> [JSONSpan] {
        path.reduce([arguments]) { parents, key in
            var found: [JSONSpan] = []
            for parent in parents {
                json.forEachMemberSpan(of: parent) { name, value in
                    if json.key(name).utf8.elementsEqual(key.utf8) { found.append(value) }
                }
            }
            return found
        }
    }

    /// The field's value for a value in `arguments`, not encoded; nil for what has none: objects, arrays, null. A value of another type than
    /// the schema says is the tool's to refuse, so its text is given.
    public func text(of span: JSONSpan, in json: JSONText) -> String? {
        switch json.firstByte(span) ?? 0 {
        case UInt8(ascii: "\""): return json.string(span)
        case UInt8(ascii: "t"), UInt8(ascii: "f"), UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            guard let raw = json.slice(span).map({ String(buffer: $0) }) else { return nil }
            return kind == .integer ? Decimal(raw)?.integer ?? raw : raw
        default: return nil
        }
    }

    /// Whether a field's decoded value says the same as the value in `arguments`, byte for byte.
    public func matches(_ field: String, _ span: JSONSpan, in json: JSONText) -> Bool {
        guard let text = text(of: span, in: json) else { return false }
        // Numbers are compared as such: 42.0 is 42 ("Server Validation").
        if kind == .integer, json.firstByte(span) != UInt8(ascii: "\""), let number = Decimal(text) { return Decimal(field) == number }
        return field.utf8.elementsEqual(text.utf8)
    }
}

/// A decimal number of any size, exactly: numbers that are the same are equal however they are written.
private struct Decimal: Hashable {
    private var isNegative = false
    /// Without zeros at either end.
    private var digits: [UInt8] = []
    /// The power of ten that the digits are multiplied with.
    private var exponent = 0

    /// As JSON writes it, leading zeros allowed; nil for everything else.
    init?(_ text: String) {
        var rest = text.utf8[...]
        func takeDigits() -> [UInt8] {
            let taken = rest.prefix { $0 &- UInt8(ascii: "0") < 10 }
            rest = rest.dropFirst(taken.count)
            return Array(taken)
        }
        if rest.first == UInt8(ascii: "-") {
            isNegative = true
            rest = rest.dropFirst()
        }
        digits = takeDigits()
        guard !digits.isEmpty else { return nil }
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            let fraction = takeDigits()
            guard !fraction.isEmpty else { return nil }
            digits += fraction
            exponent = -fraction.count
        }
        if rest.first.map({ $0 | 0x20 }) == UInt8(ascii: "e") {
            rest = rest.dropFirst()
            // Bounded, so that sums do not overflow.
            guard rest.count <= 12, let power = Int(String(Substring(rest))) else { return nil }
            exponent += power
            rest = rest.dropFirst(rest.count)
        }
        guard rest.isEmpty else { return nil }
        while digits.last == UInt8(ascii: "0") {
            digits.removeLast()
            exponent += 1
        }
        digits = Array(digits.drop { $0 == UInt8(ascii: "0") })
        if digits.isEmpty { (isNegative, exponent) = (false, 0) }
    }

    /// In digits alone; nil when it has a fraction or is far beyond what any type holds.
    var integer: String? {
        guard exponent >= 0, digits.count + exponent <= 40 else { return nil }
        guard !digits.isEmpty else { return "0" }
        return (isNegative ? "-" : "") + String(decoding: digits, as: UTF8.self) + String(repeating: "0", count: exponent)
    }
}

/// Looks for annotations wherever a schema can have a schema.
private struct SchemaWalk {
    private let json: JSONText
    var found: [ParameterHeader] = []
    /// In lower case.
    private var names = Set<String>()
    var problem: String?

    init(json: JSONText) { self.json = json }

    /// - Parameter path: the `properties` that lead here; nil when something else did.
    mutating func visit(_ schema: JSONSpan, path: [String]?) {
        guard problem == nil, json.isObject(schema) else { return }
        var members: [(key: String, value: JSONSpan)] = []
        json.forEachMemberSpan(of: schema) { key, value in members.append((json.key(key), value)) }
        if let annotation = members.last(where: { $0.key == "x-mcp-header" }) { note(annotation.value, of: members, path: path) }
        for (key, value) in members {
            switch key {
            case "properties": visitEach(value, below: path)
            case "patternProperties", "dependentSchemas", "dependencies", "$defs", "definitions": visitEach(value, below: nil)
            case "allOf", "anyOf", "oneOf", "prefixItems": for element in json.elements(of: value) { visit(element, path: nil) }
            case "items", "additionalItems", "contains", "unevaluatedItems", "additionalProperties", "propertyNames",
                "unevaluatedProperties", "not", "if", "then", "else", "contentSchema":
                visit(value, path: nil)
                // Older drafts have an array here.
                if key == "items" { for element in json.elements(of: value) { visit(element, path: nil) } }
            default: break
            }
        }
    }

    private mutating func visitEach(_ object: JSONSpan, below path: [String]?) {
        var members: [(String, JSONSpan)] = []
        json.forEachMemberSpan(of: object) { key, value in members.append((json.key(key), value)) }
        for (key, value) in members { visit(value, path: path.map { $0 + [key] }) }
    }

    private mutating func note(_ annotation: JSONSpan, of members: [(key: String, value: JSONSpan)], path: [String]?) {
        guard let name = json.string(annotation), !name.isEmpty, name.utf8.allSatisfy(Self.isTokenCharacter) else {
            return problem = "x-mcp-header must be a token (RFC 9110, section 5.6.2)"
        }
        guard let path, !path.isEmpty else { return problem = "x-mcp-header \"\(name)\" is not on a property of the arguments" }
        guard names.insert(name.lowercased()).inserted else {
            return problem = "x-mcp-header \"\(name)\" stands twice"
        }
        let type = members.last { $0.key == "type" }.flatMap { json.string($0.value) }
        let kinds: [String: ParameterHeader.Kind] = ["string": .string, "integer": .integer, "boolean": .boolean]
        guard let kind = type.flatMap({ kinds[$0] }) else {
            return problem = "x-mcp-header \"\(name)\" is on a parameter that is no string, integer or boolean"
        }
        found.append(ParameterHeader(name: name, path: path, kind: kind))
    }

    private static func isTokenCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"): true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
