import Foundation
import NIOCore

/// Any JSON, for looking at results.
enum JSONValue: Decodable, Equatable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    init(_ buffer: ByteBuffer) throws {
        self = try JSONDecoder().decode(JSONValue.self, from: Data(buffer.readableBytesView))
    }

    subscript(path: String...) -> JSONValue? {
        path.reduce(self as JSONValue?) { value, key in
            guard case .object(let members) = value else { return nil }
            return members[key]
        }
    }

    var string: String? { if case .string(let value) = self { value } else { nil } }
    var number: Double? { if case .number(let value) = self { value } else { nil } }
    var array: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
    var object: [String: JSONValue]? { if case .object(let value) = self { value } else { nil } }

    /// What of this value does not fit `schema`: the part of JSON Schema that the tools use. An unknown keyword is a violation too.
    func violations(of schema: JSONValue, at place: String = "$") -> [String] {
        guard let rules = schema.object else { return ["\(place): the schema is not an object"] }
        var found: [String] = []
        for (keyword, rule) in rules {
            switch keyword {
            case "title", "description", "default", "format", "properties": break
            case "type": if !hasType(rule.string ?? "") { found.append("\(place): not \(rule)") }
            case "enum": if rule.array?.contains(self) != true { found.append("\(place): not in \(rule)") }
            case "const": if rule != self { found.append("\(place): not \(rule)") }
            case "minimum": if let value = number, let bound = rule.number, value < bound { found.append("\(place): too small") }
            case "maximum": if let value = number, let bound = rule.number, value > bound { found.append("\(place): too large") }
            case "required":
                for name in rule.array ?? [] where self[name.string ?? ""] == nil { found.append("\(place): lacks \(name)") }
            case "items":
                for (index, item) in (array ?? []).enumerated() { found += item.violations(of: rule, at: "\(place)[\(index)]") }
            case "additionalProperties":
                for (name, value) in object ?? [:] where rules["properties"]?[name] == nil {
                    found += rule == .bool(false) ? ["\(place): unknown \(name)"] : value.violations(of: rule, at: "\(place).\(name)")
                }
            default: found.append("\(place): unknown keyword \(keyword)")
            }
        }
        for (name, value) in object ?? [:] {
            if let rule = rules["properties"]?[name] { found += value.violations(of: rule, at: "\(place).\(name)") }
        }
        return found
    }

    private func hasType(_ type: String) -> Bool {
        switch (type, self) {
        case ("object", .object), ("array", .array), ("string", .string), ("boolean", .bool), ("number", .number): true
        case ("integer", .number(let value)): value == value.rounded()
        default: false
        }
    }
}
