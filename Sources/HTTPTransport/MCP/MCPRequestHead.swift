import GatewayCore
import MCPProtocol
import NIOHTTP1

/// Which MCP endpoint a request path names.
enum MCPEndpoint: Equatable {
    /// `/mcp`
    case all
    /// `/servers/<name>/mcp`
    case server(String)

    init?(uri: String) {
        let path = uri.utf8.firstIndex(of: UInt8(ascii: "?")).map { uri[..<$0] } ?? uri[...]
        if path == "/mcp" {
            self = .all
            return
        }
        guard path.hasPrefix("/servers/"), path.hasSuffix("/mcp"), path.utf8.count >= "/servers//mcp".utf8.count else { return nil }
        let name = path.dropFirst("/servers/".count).dropLast("/mcp".count)
        self = .server(String(name))
    }

    var server: String? {
        guard case .server(let name) = self else { return nil }
        return name
    }
}

/// The header fields that Streamable HTTP has rules for, picked out in one pass.
struct MCPRequestHead {
    let method: HTTPMethod
    let endpoint: MCPEndpoint
    let isKeepAlive: Bool
    var sessionID: String?
    var protocolVersion: String?
    var accept: String?
    var contentType: String?
    var origin: String?
    var host: String?
    var lastEventID: String?
    var contentLength: Int?
    var expectsContinue = false
    /// A field that may stand once stands twice: which one counts would be anybody's guess.
    var isAmbiguous = false

    init(_ head: HTTPRequestHead, endpoint: MCPEndpoint) {
        method = head.method
        self.endpoint = endpoint
        isKeepAlive = head.isKeepAlive
        for (name, value) in head.headers {
            // The length decides most fields without comparing characters.
            switch name.utf8.count {
            case 4 where name.isField("host"):
                isAmbiguous = isAmbiguous || host != nil
                host = value
            case 6:
                if name.isField("accept") {
                    accept = accept.map { $0 + "," + value } ?? value
                } else if name.isField("origin") {
                    isAmbiguous = isAmbiguous || origin != nil
                    origin = value
                } else if name.isField("expect") {
                    expectsContinue = value.lowercased() == "100-continue"
                }
            case 12 where name.isField("content-type"): contentType = value
            case 13 where name.isField("last-event-id"): lastEventID = value
            case 14:
                if name.isField("mcp-session-id") {
                    isAmbiguous = isAmbiguous || sessionID != nil
                    sessionID = value
                } else if name.isField("content-length") {
                    contentLength = Int(value)
                }
            case 20 where name.isField("mcp-protocol-version"): protocolVersion = value
            default: break
            }
        }
    }
}

extension String {
    /// Compares a field name without regard to case. `lowercase` must be lower case.
    fileprivate func isField(_ lowercase: StaticString) -> Bool {
        var index = 0
        let count = lowercase.utf8CodeUnitCount
        for byte in utf8 {
            guard index < count else { return false }
            let lower = byte &- 0x41 < 26 ? byte | 0x20 : byte
            guard lower == lowercase.utf8Start[index] else { return false }
            index += 1
        }
        return index == count
    }
}
