import MCPProtocol
import NIOCore

/// A tool's `inputSchema`, as far as a terminal needs it.
struct ToolsSchema {
    struct Property {
        let name: String
        /// The JSON types it may have; empty when the schema does not say.
        let types: [String]
        /// The types of array elements.
        let elementTypes: [String]
        let description: String
        let isRequired: Bool
        /// The decoded strings of `enum`.
        let choices: [String]

        /// For people: `string`, `integer or null`, `array of string`, `"a" | "b"`.
        var typeName: String {
            if !choices.isEmpty { return choices.map { "\"\($0)\"" }.joined(separator: " | ") }
            if types.isEmpty { return "any" }
            return types.map { $0 == "array" && !elementTypes.isEmpty ? "array of \(elementTypes.joined(separator: " or "))" : $0 }
                .joined(separator: " or ")
        }
    }

    let properties: [Property]
    /// Whether other arguments are refused.
    let isClosed: Bool

    init(json: JSONText, span: JSONSpan) {
        let required = Set(json.elements(of: json.member("required", of: span)).compactMap { json.string($0) })
        var properties: [Property] = []
        json.forEachMember(of: json.member("properties", of: span)) { key, value in
            var quoted = ByteBuffer(string: "\"")
            quoted.writeBytes(key)
            quoted.writeString("\"")
            let name = (try? JSONText(validating: quoted)).flatMap { $0.string($0.root) } ?? String(decoding: key, as: UTF8.self)
            properties.append(
                Property(
                    name: name, types: Self.types(json, value), elementTypes: Self.types(json, Self.items(json, value)),
                    description: json.string(json.member("description", of: value)) ?? "", isRequired: required.contains(name),
                    choices: json.elements(of: json.member("enum", of: value)).compactMap { json.string($0) }))
            return true
        }
        self.properties = properties
        self.isClosed = json.equals(json.member("additionalProperties", of: span), "false")
    }

    /// `type`, be it one or several, and the types of the alternatives.
    private static func types(_ json: JSONText, _ span: JSONSpan) -> [String] {
        guard span.isPresent else { return [] }
        let type = json.member("type", of: span)
        var types = json.string(type).map { [$0] } ?? json.elements(of: type).compactMap { json.string($0) }
        for alternatives in [json.member("anyOf", of: span), json.member("oneOf", of: span)] {
            for alternative in json.elements(of: alternatives) {
                types += Self.types(json, alternative).filter { !types.contains($0) }
            }
        }
        return types
    }

    private static func items(_ json: JSONText, _ span: JSONSpan) -> JSONSpan {
        let own = json.member("items", of: span)
        guard !own.isPresent else { return own }
        for alternatives in [json.member("anyOf", of: span), json.member("oneOf", of: span)] {
            for alternative in json.elements(of: alternatives) where json.member("items", of: alternative).isPresent {
                return json.member("items", of: alternative)
            }
        }
        return .absent
    }
}
