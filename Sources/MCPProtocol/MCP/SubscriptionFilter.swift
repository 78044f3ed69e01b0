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
    ///   - taskIDs: the tasks (SEP-2663, "Task Status Notifications"), in this order; nil leaves the member out.
    public static func json(flags: [StaticString], uris: [String]?, taskIDs: [String]? = nil) -> ByteBuffer {
        var filter = ByteBuffer(string: "{")
        for (index, flag) in flags.enumerated() { filter.writeString("\(index > 0 ? "," : "")\"\(flag)\":true") }
        let lists: [(StaticString, [String]?)] = [("\"resourceSubscriptions\":[", uris), ("\"taskIds\":[", taskIDs)]
        for (key, values) in lists {
            guard let values else { continue }
            if filter.readableBytes > 1 { filter.writeStaticString(",") }
            filter.writeStaticString(key)
            for (index, value) in values.enumerated() {
                if index > 0 { filter.writeStaticString(",") }
                filter.writeJSONString(value)
            }
            filter.writeStaticString("]")
        }
        filter.writeStaticString("}")
        return filter
    }
}
