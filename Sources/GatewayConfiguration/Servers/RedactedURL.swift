import Foundation

/// URLs for logs.
enum RedactedURL {
    /// The URL without user, password, query and fragment; `<invalid URL>` if it is none.
    static func text(_ url: String) -> String {
        guard var components = URLComponents(string: url) else { return "<invalid URL>" }
        components.user = nil
        components.password = nil
        components.fragment = nil
        let hadQuery = components.query != nil
        components.query = nil
        return (components.string ?? "<invalid URL>") + (hadQuery ? "?…" : "")
    }
}
