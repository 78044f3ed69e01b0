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
        let needle = Array("x-mcp-header".utf8)
        return json.bytes.withUnsafeReadableBytes { bytes in
            guard bytes.count >= needle.count else { return false }
            var index = 0
            while index <= bytes.count - needle.count {
                if bytes[index] == needle[0], needle.indices.allSatisfy({ bytes[index + $0] == needle[$0] }) { return true }
                index += 1
            }
            return false
        }
    }

    /// Where the value lies in `arguments`; absent when it is missing or null.
    public func span(in json: JSONText, arguments: JSONSpan) -> JSONSpan {
        var span = arguments
        for key in path {
            var found = JSONSpan.absent
            json.forEachMemberSpan(of: span) { name, value in
                if json.key(name) == key { found = value }
            }
            span = found
            if !span.isPresent { return .absent }
        }
        return json.equals(span, "null") ? .absent : span
    }

    /// The field's value for a value in `arguments`, not encoded; nil when it has another type than the schema says.
    public func text(of span: JSONSpan, in json: JSONText) -> String? {
        switch kind {
        case .string: return json.string(span)
        case .boolean: return json.isTrue(span) ? "true" : json.equals(span, "false") ? "false" : nil
        case .integer: return json.slice(span).flatMap { Self.integer(String(buffer: $0)) }.map(String.init)
        }
    }

    /// Whether a field's decoded value says the same as the value in `arguments`.
    public func matches(_ field: String, _ span: JSONSpan, in json: JSONText) -> Bool {
        guard let text = text(of: span, in: json) else { return false }
        // Numbers are compared as such: 42.0 is 42 ("Server Validation").
        if kind == .integer { return Self.integer(field).map { String($0) == text } ?? false }
        return field == text
    }

    /// A number without a fraction that JavaScript can hold exactly.
    private static func integer(_ text: String) -> Int64? {
        let limit = Int64(1) << 53 - 1
        if let number = Int64(text) { return abs(number) <= limit ? number : nil }
        guard let number = Double(text), number.rounded() == number, abs(number) <= Double(limit) else { return nil }
        return Int64(number)
    }
}

/// Looks for annotations wherever a schema can have a schema.
private struct SchemaWalk {
    let json: JSONText
    var found: [ParameterHeader] = []
    var problem: String?

    /// - Parameter path: the `properties` that lead here; nil when something else did.
    mutating func visit(_ schema: JSONSpan, path: [String]?) {
        guard problem == nil, json.isObject(schema) else { return }
        var members: [(key: String, value: JSONSpan)] = []
        json.forEachMemberSpan(of: schema) { key, value in members.append((json.key(key), value)) }
        if let annotation = members.first(where: { $0.key == "x-mcp-header" }) { note(annotation.value, of: members, path: path) }
        for (key, value) in members {
            switch key {
            case "properties": visitEach(value, below: path)
            case "patternProperties", "dependentSchemas", "$defs", "definitions": visitEach(value, below: nil)
            case "allOf", "anyOf", "oneOf", "prefixItems": for element in json.elements(of: value) { visit(element, path: nil) }
            case "items", "contains", "unevaluatedItems", "additionalProperties", "propertyNames", "unevaluatedProperties", "not", "if",
                "then", "else", "contentSchema":
                visit(value, path: nil)
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
        guard !found.contains(where: { $0.name.lowercased() == name.lowercased() }) else {
            return problem = "x-mcp-header \"\(name)\" stands twice"
        }
        let type = members.first { $0.key == "type" }.map(\.value) ?? .absent
        let kinds: [(StaticString, ParameterHeader.Kind)] = [
            ("\"string\"", .string), ("\"integer\"", .integer), ("\"boolean\"", .boolean),
        ]
        guard let kind = kinds.first(where: { json.equals(type, $0.0) })?.1 else {
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
