public import NIOCore

/// What a `subscriptions/listen` asks to be told of, and what its acknowledgement agrees to (2026-07-28, basic/patterns/subscriptions,
/// "Notification Filter").
public enum SubscriptionFilter {
    /// The flags, and the notifications that they stand for.
    public static let lists: [(name: StaticString, method: Method)] = [
        ("toolsListChanged", .toolsListChanged), ("promptsListChanged", .promptsListChanged),
        ("resourcesListChanged", .resourcesListChanged),
    ]

    /// Raw JSON.
    ///
    /// - Parameters:
    ///   - flags: those that are true.
    ///   - uris: the resources, in this order; nil leaves the member out.
    public static func json(flags: [StaticString], uris: [String]?) -> ByteBuffer {
        var filter = ByteBuffer(string: "{")
        for (index, flag) in flags.enumerated() { filter.writeString("\(index > 0 ? "," : "")\"\(flag)\":true") }
        if let uris {
            if !flags.isEmpty { filter.writeStaticString(",") }
            filter.writeStaticString("\"resourceSubscriptions\":[")
            for (index, uri) in uris.enumerated() {
                if index > 0 { filter.writeStaticString(",") }
                filter.writeJSONString(uri)
            }
            filter.writeStaticString("]")
        }
        filter.writeStaticString("}")
        return filter
    }
}
