import Foundation
import MCPProtocol
import NIOCore

/// `JSONText`: accepts what JSON is and nothing else, and every part of it can be looked up and replaced.
enum JSONTarget {
    static func run(_ input: UnsafeRawBufferPointer) {
        let bytes = ByteBuffer(embedding: input)
        let text = try? JSONText(validating: bytes)
        if let isJSON = FoundationJSON.accepts(input) {
            require((text != nil) == isJSON, "JSONText \(text == nil ? "refuses" : "accepts") what Foundation does not")
        }
        guard let text else { return }
        require(String(validating: input, as: UTF8.self) != nil, "JSON is UTF-8")
        require(text.root.isPresent && text.root.end <= input.count, "the root is inside the text")
        walk(text, text.root)
        splice(text)
    }

    private static func walk(_ text: JSONText, _ span: JSONSpan) {
        guard let slice = text.slice(span) else { violated("a value has bytes") }
        guard let value = try? JSONText(validating: slice) else { violated("a value is itself JSON: \(slice.quoted)") }
        require(value.root == JSONSpan(start: 0, end: UInt32(slice.readableBytes)), "a span has no white space around the value")
        scalar(text, span, slice)

        var position = span.start
        func visit(_ child: JSONSpan) {
            require(child.start > position && child.end > child.start && child.end < span.end, "values are in order and inside")
            position = child.end
            walk(text, child)
        }
        let elements = text.elements(of: span)
        elements.forEach(visit)
        var members = 0
        text.forEachMember(of: span) { key, child in
            require(!key.contains(0x0A) && !key.contains(0x0D), "a key has no line breaks")
            members += 1
            visit(child)
            return true
        }
        let first = text.firstByte(span)
        require(elements.isEmpty || first == UInt8(ascii: "["), "only an array has elements")
        require(members == 0 || text.isObject(span), "only an object has members")
        require(!text.isObject(span) || first == UInt8(ascii: "{"), "an object begins with a brace")
    }

    private static func scalar(_ text: JSONText, _ span: JSONSpan, _ slice: ByteBuffer) {
        let string = text.string(span)
        require((string != nil) == (text.firstByte(span) == UInt8(ascii: "\"")), "what has quotes is a string: \(slice.quoted)")
        if let string {
            let written = ByteBuffer.jsonString(string)
            guard let again = try? JSONText(validating: written) else { violated("a written string is JSON: \(written.quoted)") }
            require(again.string(again.root).map { $0.utf8.elementsEqual(string.utf8) } == true, "a string survives writing and reading")
        }
        if let unsigned = text.unsigned(span) {
            require(String(unsigned) == String(buffer: slice), "an unsigned number is written in one way: \(slice.quoted)")
        }
        if let integer = text.integer(span) {
            require(Int(String(buffer: slice)) == integer, "an integer is the number that stands there: \(slice.quoted)")
        }
    }

    private static func splice(_ text: JSONText) {
        var copy = ByteBuffer()
        copy.write(text.bytes, splicing: [])
        require(copy == text.bytes, "splicing nothing changes nothing")

        var spans = text.elements(of: text.root)
        text.forEachMember(of: text.root) { _, value in
            spans.append(value)
            return true
        }
        guard !spans.isEmpty else { return }
        copy.clear()
        // Unsorted on purpose.
        copy.write(text.bytes, splicing: spans.reversed().map { Splice($0, .bytes(text.slice($0) ?? ByteBuffer())) })
        require(copy == text.bytes, "splicing what was there changes nothing")

        copy.clear()
        copy.write(text.bytes, splicing: spans.enumerated().map { Splice($1, .integer(UInt64($0))) })
        guard var spliced = try? JSONText(validating: copy) else { violated("what was spliced is JSON: \(copy.quoted)") }
        require(values(spliced).map { spliced.unsigned($0) } == spans.indices.map { UInt64($0) }, "every splice is where its span was")

        copy.replaceLineBreaks()
        spliced = JSONTarget.validated(copy)
        require(values(spliced).count == spans.count, "a message on one line is the same message")
        require(!copy.readableBytesView.contains { $0 == 0x0A || $0 == 0x0D }, "a message on one line has no line breaks")
    }

    private static func validated(_ bytes: ByteBuffer) -> JSONText {
        guard let text = try? JSONText(validating: bytes) else { violated("it is still JSON: \(bytes.quoted)") }
        return text
    }

    private static func values(_ text: JSONText) -> [JSONSpan] {
        var spans = text.elements(of: text.root)
        text.forEachMember(of: text.root) { _, value in
            spans.append(value)
            return true
        }
        return spans
    }
}
