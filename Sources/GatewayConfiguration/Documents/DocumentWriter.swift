/// Writes `DocumentNode`s as JSON, two spaces deep, in their order, numbers as they were.
enum DocumentWriter {
    /// Ends with a line feed.
    static func json(_ node: DocumentNode) -> String {
        var text = ""
        write(node, indent: "", to: &text)
        return text + "\n"
    }

    private static func write(_ node: DocumentNode, indent: String, to text: inout String) {
        switch node.value {
        case .null: text += "null"
        case .bool(let flag, _): text += flag ? "true" : "false"
        case .number(let number): text += number
        case .string(let string): text += quoted(string)
        case .array(let elements) where elements.allSatisfy(isShort):
            text += "["
            for (index, element) in elements.enumerated() {
                if index > 0 { text += ", " }
                write(element, indent: indent, to: &text)
            }
            text += "]"
        case .array(let elements):
            writeLines(elements, open: "[", close: "]", indent: indent, to: &text) { element, inner, text in
                write(element, indent: inner, to: &text)
            }
        case .object(let members):
            writeLines(members, open: "{", close: "}", indent: indent, to: &text) { member, inner, text in
                text += quoted(member.key) + ": "
                write(member.value, indent: inner, to: &text)
            }
        }
    }

    private static func writeLines<Item>(
        _ items: [Item], open: String, close: String, indent: String, to text: inout String, item: (Item, String, inout String) -> Void
    ) {
        guard !items.isEmpty else {
            text += open + close
            return
        }
        let inner = indent + "  "
        text += open
        for (index, next) in items.enumerated() {
            text += index == 0 ? "\n" : ",\n"
            text += inner
            item(next, inner, &text)
        }
        text += "\n" + indent + close
    }

    private static func isShort(_ node: DocumentNode) -> Bool {
        switch node.value {
        case .array, .object: false
        case .string(let string): string.utf8.count <= 60
        default: true
        }
    }

    static func quoted(_ string: String) -> String {
        var text = "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case _ where scalar.value < 0x20:
                let hex = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }
}
