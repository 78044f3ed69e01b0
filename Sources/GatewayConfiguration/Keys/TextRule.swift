import Foundation
import GatewayCore

/// The shape that a string must have.
enum TextRule: Sendable, Equatable {
    case any
    case anyOrEmpty
    /// Made absolute: relative to the directory of the file, or to the working directory for flags and variables; `~/` is the home.
    case path
    case instanceID
    case hostName
    /// Value of an `Origin` header.
    case origin
    /// Value of a `Host` header.
    case hostHeader
    case httpURL
    /// Scheme, host and port of an instance.
    case httpAddress
    /// A secret: may hold a password. Its shape is checked by whoever reads it (`ConfigurationLoader.redisURLProblem`).
    case redisURL
    /// Beginning of the keys in Redis.
    case keyPrefix
    /// `module=level` of `log.levels`.
    case logLevel

    /// Whether messages must not quote the text.
    var isSecret: Bool { self == .redisURL }

    /// What is accepted, as it follows "must be".
    var wanted: String {
        switch self {
        case .any: "string that is not empty"
        case .anyOrEmpty: "string"
        case .path: "path"
        case .instanceID: "1 – 64 of A-Z a-z 0-9 . _ -"
        case .hostName: "host name or address"
        case .origin: "origin such as https://app.example.com"
        case .hostHeader: "host name, with or without :port"
        case .httpURL: "absolute http or https URL"
        case .httpAddress: "address such as http://10.0.0.5:3001"
        case .redisURL: "redis, rediss, redis+sentinel or rediss+sentinel URL"
        case .keyPrefix: "1 – 64 of A-Z a-z 0-9 . _ - :"
        case .logLevel: "module=level such as gateway.http=debug"
        }
    }

    /// Why the text is not acceptable; never contains the text.
    func problem(with text: String) -> String? {
        if text.utf8.contains(0) { return "must not contain a NUL character" }
        if text.isEmpty, self != .anyOrEmpty { return "must not be empty" }
        switch self {
        case .any, .anyOrEmpty, .path, .redisURL: return nil
        case .instanceID:
            let isValid = text.utf8.count <= 64 && text.utf8.allSatisfy { ServerName.isAllowed($0) || $0 == UInt8(ascii: ".") }
            return isValid ? nil : "must consist of \(wanted)"
        case .hostName: return Self.isHost(text) ? nil : "must be a \(wanted)"
        case .hostHeader:
            if text.contains("*") { return "patterns are not possible; list each host name" }
            return Self.isHostWithPort(text) ? nil : "must be a \(wanted)"
        case .origin: return Self.originProblem(text)
        case .httpURL: return Self.urlProblem(text)
        case .httpAddress: return Self.addressProblem(text)
        case .keyPrefix:
            let isValid =
                text.utf8.count <= 64
                && text.utf8.allSatisfy { ServerName.isAllowed($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: ":") }
            return isValid ? nil : "must consist of \(wanted)"
        case .logLevel: return LogLevelRule(text) == nil ? "must be a \(wanted)" : nil
        }
    }

    private static func originProblem(_ text: String) -> String? {
        if text.contains("*") || text == "null" {
            return "every web page could call the tools; list each origin, such as https://app.example.com"
        }
        guard let separator = text.firstRange(of: "://"), isHostWithPort(String(text[separator.upperBound...])) else {
            return "must be an \(TextRule.origin.wanted), without a path"
        }
        let scheme = text[..<separator.lowerBound]
        let isScheme = !scheme.isEmpty && scheme.utf8.allSatisfy { ServerName.isAllowed($0) || $0 == UInt8(ascii: "+") }
        return isScheme ? nil : "must be an \(TextRule.origin.wanted)"
    }

    private static func urlProblem(_ text: String) -> String? {
        guard let url = URLComponents(string: text), let scheme = url.scheme?.lowercased(), ["http", "https"].contains(scheme),
            let host = url.host, !host.isEmpty
        else { return "must be an \(TextRule.httpURL.wanted)" }
        if url.user != nil || url.password != nil {
            return "must not contain a user or password; put them into headers.Authorization"
        }
        return nil
    }

    private static func addressProblem(_ text: String) -> String? {
        do {
            _ = try InstanceAddress(text)
            return nil
        } catch {
            return error.description
        }
    }

    private static func isHost(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                ServerName.isAllowed(byte)
                    || [UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "%")].contains(byte)
            }
    }

    private static func isHostWithPort(_ text: String) -> Bool {
        guard isHost(text), !text.hasPrefix(":") else { return false }
        guard !text.hasPrefix("["), let colon = text.lastIndex(of: ":") else { return true }
        return UInt16(text[text.index(after: colon)...]) != nil
    }
}
