import Foundation
import MCPProtocol
import NIOCore

/// Shows a tool's result, and what it says on the way, to people.
enum ToolsOutput {
    /// Text as it is, other content described, structured content set out.
    static func printResult(_ answer: Message) {
        let style = ToolsStyle.standardOutput
        let json = answer.json
        if json.isTrue(json.member("isError", of: answer.result)) {
            FileHandle.standardError.write(Data((ToolsStyle.standardError.red("The tool reported an error:") + "\n").utf8))
        }
        let content = json.elements(of: json.member("content", of: answer.result))
        let structured = json.member("structuredContent", of: answer.result)
        for item in content {
            let text = json.string(json.member("text", of: item))
            // A text that only repeats the structured content is not shown twice.
            if structured.isPresent, content.count == 1, let text, isSameJSON(text, json, structured) { continue }
            print(describe(json, item, text: text, style))
        }
        if structured.isPresent, let raw = json.slice(structured) { print(ToolsPrettyJSON.render(raw)) }
        if content.isEmpty, !structured.isPresent { print(style.dim("(no content)")) }
    }

    private static func isSameJSON(_ text: String, _ json: JSONText, _ structured: JSONSpan) -> Bool {
        guard let other = try? JSONText(validating: ByteBuffer(string: text)), let raw = json.slice(structured) else { return false }
        return ToolsPrettyJSON.render(other.bytes) == ToolsPrettyJSON.render(raw)
    }

    private static func describe(_ json: JSONText, _ item: JSONSpan, text: String?, _ style: ToolsStyle) -> String {
        let type = json.string(json.member("type", of: item)) ?? "unknown"
        switch type {
        case "text": return ToolsStyle.clean(text ?? "")
        case "image", "audio": return style.dim("[\(type): \(mediaType(json, item)), \(size(json, json.member("data", of: item)))]")
        case "resource_link":
            let uri = json.string(json.member("uri", of: item)) ?? ""
            let name = json.string(json.member("name", of: item)) ?? ""
            return style.dim("[link: \(ToolsStyle.clean(name)) ") + ToolsStyle.clean(uri) + style.dim("]")
        case "resource":
            let resource = json.member("resource", of: item)
            let head = style.dim(
                "[resource: \(ToolsStyle.clean(json.string(json.member("uri", of: resource)) ?? "")), \(mediaType(json, resource))]")
            if let text = json.string(json.member("text", of: resource)) { return head + "\n" + ToolsStyle.clean(text) }
            return head + " " + style.dim(size(json, json.member("blob", of: resource)))
        default: return json.slice(item).map { ToolsPrettyJSON.render($0) } ?? ""
        }
    }

    private static func mediaType(_ json: JSONText, _ item: JSONSpan) -> String {
        ToolsStyle.clean(json.string(json.member("mimeType", of: item)) ?? "unknown type")
    }

    /// The size of what base64 holds.
    private static func size(_ json: JSONText, _ span: JSONSpan) -> String {
        let text = json.string(span) ?? ""
        let bytes = text.utf8.count / 4 * 3 - text.utf8.suffix(2).count { $0 == UInt8(ascii: "=") }
        return bytes < 1024 ? "\(max(bytes, 0)) bytes" : bytes < 1024 * 1024 ? "\(bytes / 1024) KiB" : "\(bytes / 1024 / 1024) MiB"
    }

    /// Progress and log messages, to standard error.
    static func printNotification(_ message: Message) {
        let style = ToolsStyle.standardError
        let json = message.json
        func plain(_ span: JSONSpan) -> String? {
            (json.string(span) ?? json.slice(span).map { String(buffer: $0) }).map { ToolsStyle.clean($0) }
        }
        let line: String
        switch message.methodName {
        case .progress:
            let total = plain(message.param("total")).map { "/\($0)" } ?? ""
            line = style.dim("[\(plain(message.param("progress")) ?? "…")\(total)]") + " " + (plain(message.param("message")) ?? "")
        case .loggingMessage:
            let level = plain(message.param("level")) ?? "info"
            let name = plain(message.param("logger")).map { " \($0)" } ?? ""
            line = style.yellow("[\(level)\(name)]") + " " + (plain(message.param("data")) ?? "")
        default: return
        }
        FileHandle.standardError.write(Data((line + "\n").utf8))
    }
}
