public import NIOCore

extension ByteBuffer {
    /// Appends the value at `span` in a form that is the same however its object's keys are ordered, its strings escaped and its tokens
    /// spaced. Numbers stay as they are written. For digests, not for others to read.
    ///
    /// - Parameter names: members of the outermost object that are left out.
    public mutating func writeCanonical(_ json: JSONText, _ span: JSONSpan, leavingOut names: Set<String> = []) {
        switch json.firstByte(span) {
        case UInt8(ascii: "{"):
            var members: [(key: String, value: JSONSpan)] = []
            json.forEachMemberSpan(of: span) { key, value in
                let key = json.key(key)
                if !names.contains(key) { members.append((key, value)) }
            }
            // Stable: of keys that are there twice the order stays, so that nothing is lost.
            let sorted = members.enumerated().sorted { ($0.element.key, $0.offset) < ($1.element.key, $1.offset) }.map(\.element)
            writeStaticString("{")
            for (index, member) in sorted.enumerated() {
                if index > 0 { writeStaticString(",") }
                writeJSONString(member.key)
                writeStaticString(":")
                writeCanonical(json, member.value)
            }
            writeStaticString("}")
        case UInt8(ascii: "["):
            writeStaticString("[")
            for (index, element) in json.elements(of: span).enumerated() {
                if index > 0 { writeStaticString(",") }
                writeCanonical(json, element)
            }
            writeStaticString("]")
        case UInt8(ascii: "\""): writeJSONString(json.string(span) ?? "")
        default: if let raw = json.slice(span) { writeImmutableBuffer(raw) }
        }
    }
}
