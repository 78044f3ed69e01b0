import Foundation
import MCPProtocol
import NIOCore

/// Makes a tool's arguments from the command line: `key=value`, typed by the tool's schema, over a JSON object.
struct ToolsArguments {
    private var members: [(key: String, value: ByteBuffer)] = []

    /// - Parameters:
    ///   - base: JSON, or `@file`.
    ///   - pairs: `key=value`; a repeated key makes an array where the schema has one.
    /// - Throws: ``ToolsError/badArguments(_:)``.
    init(base: String?, pairs: [String], schema: ToolsSchema) throws {
        if let base { try take(base: base) }
        var given: [(key: String, values: [String])] = []
        for pair in pairs {
            guard let separator = pair.firstIndex(of: "="), separator > pair.startIndex else {
                throw ToolsError.badArguments("\"\(pair)\" is not key=value. JSON can be given with --arguments.")
            }
            let key = String(pair[..<separator])
            let value = String(pair[pair.index(after: separator)...])
            if let index = given.firstIndex(where: { $0.key == key }) {
                given[index].values.append(value)
            } else {
                given.append((key, [value]))
            }
        }
        for (key, values) in given {
            let property = schema.properties.first { $0.name == key }
            if property == nil, schema.isClosed {
                let known = schema.properties.map(\.name).joined(separator: ", ")
                throw ToolsError.badArguments("the tool has no argument \"\(key)\". It takes: \(known.isEmpty ? "none" : known).")
            }
            let value = try Self.value(values, property, key: key)
            members.removeAll { $0.key == key }
            members.append((key, value))
        }
        let missing = schema.properties.filter { property in property.isRequired && !members.contains { $0.key == property.name } }
        guard missing.isEmpty else {
            let list = missing.map { "\($0.name) (\($0.typeName))" }.joined(separator: ", ")
            throw ToolsError.badArguments("required arguments are missing: \(list). Give them as key=value.")
        }
    }

    /// The arguments as a JSON object.
    var object: ByteBuffer {
        var buffer = ByteBuffer(string: "{")
        for (index, member) in members.enumerated() {
            if index > 0 { buffer.writeString(",") }
            buffer.writeJSONString(member.key)
            buffer.writeString(":")
            buffer.writeImmutableBuffer(member.value)
        }
        buffer.writeString("}")
        return buffer
    }

    private mutating func take(base: String) throws {
        var bytes = ByteBuffer(string: base)
        if base.hasPrefix("@") {
            let path = String(base.dropFirst())
            guard let data = FileManager.default.contents(atPath: path) else {
                throw ToolsError.badArguments("the file \"\(path)\" of --arguments cannot be read.")
            }
            bytes = ByteBuffer(bytes: data)
        }
        let json: JSONText
        do {
            json = try JSONText(validating: bytes)
        } catch {
            throw ToolsError.badArguments("--arguments is no JSON: \(error)")
        }
        guard json.isObject(json.root) else {
            throw ToolsError.badArguments("--arguments must be a JSON object, like {\"key\": \"value\"}.")
        }
        var found: [(String, ByteBuffer)] = []
        json.forEachMember(of: json.root) { key, value in
            var quoted = ByteBuffer(string: "\"")
            quoted.writeBytes(key)
            quoted.writeString("\"")
            if let text = try? JSONText(validating: quoted), let name = text.string(text.root), let value = json.slice(value) {
                found.append((name, value))
            }
            return true
        }
        for (key, value) in found { members.append((key, value)) }
    }

    private static func value(_ values: [String], _ property: ToolsSchema.Property?, key: String) throws -> ByteBuffer {
        let types = property?.types ?? []
        if values == ["null"], types.contains("null") { return ByteBuffer(string: "null") }
        if types.contains("array"), values.count > 1 || (!types.contains("string") && !isJSON(values[0], startingWith: "[")) {
            var array = ByteBuffer(string: "[")
            for (index, text) in values.enumerated() {
                if index > 0 { array.writeString(",") }
                array.writeImmutableBuffer(try value(text, types: property?.elementTypes ?? [], key: key))
            }
            array.writeString("]")
            return array
        }
        guard values.count == 1 else {
            throw ToolsError.badArguments("the argument \"\(key)\" is given \(values.count) times, but is no array.")
        }
        if let choices = property?.choices, !choices.isEmpty, types.isEmpty || types == ["string"], !choices.contains(values[0]) {
            throw ToolsError.badArguments(
                "the argument \"\(key)\" must be one of: \(choices.joined(separator: ", ")); it is \"\(values[0])\".")
        }
        return try value(values[0], types: types, key: key)
    }

    /// One value as JSON: the strictest of the types that it fits.
    private static func value(_ text: String, types: [String], key: String) throws -> ByteBuffer {
        let json = try? JSONText(validating: ByteBuffer(string: text))
        let kind = json.flatMap { $0.firstByte($0.root) }
        let isTrimmed = json.map { $0.root.count == text.utf8.count } ?? false
        func raw() -> ByteBuffer { ByteBuffer(string: text) }

        if types.isEmpty { return isTrimmed && kind != UInt8(ascii: "\"") ? raw() : .jsonString(text) }
        for type in ["boolean", "integer", "number", "null", "object", "array"] where types.contains(type) && isTrimmed {
            let fits =
                switch type {
                case "boolean": text == "true" || text == "false"
                case "integer": Int64(text) != nil
                case "number": kind == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(kind ?? 0)
                case "null": text == "null"
                case "object": kind == UInt8(ascii: "{")
                default: kind == UInt8(ascii: "[")
                }
            if fits { return raw() }
        }
        if types.contains("string") { return .jsonString(text) }
        throw ToolsError.badArguments("the argument \"\(key)\" must be \(types.joined(separator: " or ")); it is \"\(text)\".")
    }

    private static func isJSON(_ text: String, startingWith first: Character) -> Bool {
        text.first == first && (try? JSONText(validating: ByteBuffer(string: text))) != nil
    }
}
