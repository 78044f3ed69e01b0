import AsyncHTTPClient
import Foundation
import NIOHTTP1

/// The server's endpoint, split into what is requested and what may be shown.
struct Endpoint: Sendable {
    /// The URL without credentials.
    let url: URL
    /// `Authorization` made of the URL's credentials.
    let authorization: String?
    /// Without credentials and query: for logs.
    let display: String

    init?(_ text: String) {
        guard var parts = URLComponents(string: text), let scheme = parts.scheme?.lowercased(),
            ["http", "https", "http+unix", "https+unix"].contains(scheme), let host = parts.host, !host.isEmpty
        else { return nil }
        if let user = parts.user {
            let credentials = Data("\(user):\(parts.password ?? "")".utf8)
            authorization = "Basic \(credentials.base64EncodedString())"
        } else {
            authorization = nil
        }
        parts.user = nil
        parts.password = nil
        parts.fragment = nil
        guard let url = parts.url else { return nil }
        self.url = url
        parts.query = nil
        display = parts.string ?? "\(scheme)://\(host)"
    }
}
