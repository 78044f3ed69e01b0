import MCPProtocol
import NIOCore

/// Sets JSON out over several lines. Numbers, strings and the order of keys stay as they are.
enum ToolsPrettyJSON {
    /// `bytes` must be valid JSON.
    static func render(_ bytes: ByteBuffer) -> String {
        var output: [UInt8] = []
        var depth = 0
        var isInString = false
        var isEscaped = false
        var isEmptyContainer = false

        func breakLine() {
            output.append(UInt8(ascii: "\n"))
            output.append(contentsOf: repeatElement(UInt8(ascii: " "), count: 2 * depth))
        }

        for byte in bytes.readableBytesView {
            if isInString {
                output.append(byte)
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                }
                continue
            }
            switch byte {
            case 0x20, 0x09, 0x0A, 0x0D: continue
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth = max(depth - 1, 0)
                if !isEmptyContainer { breakLine() }
                isEmptyContainer = false
                output.append(byte)
                continue
            default: break
            }
            if isEmptyContainer { breakLine() }
            isEmptyContainer = false
            output.append(byte)
            switch byte {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                isEmptyContainer = true
            case UInt8(ascii: ","): breakLine()
            case UInt8(ascii: ":"): output.append(UInt8(ascii: " "))
            case UInt8(ascii: "\""): isInString = true
            default: break
            }
        }
        return ToolsStyle.clean(String(decoding: output, as: UTF8.self))
    }
}
