import MCPProtocol
import NIOCore

/// `HeaderValue` and `ParameterHeader`: the first line is a header field, the rest is `{"inputSchema": …, "arguments": …}`.
enum ParameterHeaderTarget {
    static func run(_ input: UnsafeRawBufferPointer) {
        let end = input.firstIndex(of: 0x0A) ?? input.count
        let field = String(decoding: input[..<end], as: UTF8.self)
        value(field)
        guard end < input.count else { return }
        let bytes = ByteBuffer(embedding: UnsafeRawBufferPointer(rebasing: input[(end + 1)...]))
        guard let json = try? JSONText(validating: bytes) else { return }
        parameters(json, field: HeaderValue.decode(field) ?? field)
    }

    private static func value(_ text: String) {
        let field = HeaderValue.encode(text)
        require(field.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F }, "a field holds visible ASCII and spaces")
        require(field.utf8.first != 0x20 && field.utf8.last != 0x20, "a field neither begins nor ends with a space")
        require(same(HeaderValue.decode(field), text), "decode(encode(x)) == x for \(text.debugDescription)")
        guard let decoded = HeaderValue.decode(text) else { return }
        require(same(HeaderValue.decode(HeaderValue.encode(decoded)), decoded), "what was read can be written")
    }

    private static func parameters(_ json: JSONText, field: String) {
        let schema = json.member("inputSchema", of: json.root)
        let arguments = json.member("arguments", of: json.root)
        guard let headers = try? ParameterHeader.annotations(of: schema, in: json) else { return }
        let mayBeEscaped = json.bytes.readableBytesView.contains(UInt8(ascii: "\\"))
        require(headers.isEmpty || mayBeEscaped || ParameterHeader.mayStand(in: json), "the quick look misses no annotation")
        require(Set(headers.map { $0.name.lowercased() }).count == headers.count, "no field stands for two parameters")
        for header in headers {
            require(!header.name.isEmpty && header.name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }, "a name is that of a field")
            require(!header.path.isEmpty, "a parameter is inside the arguments")
            let span = header.span(in: json, arguments: arguments)
            let matches = header.matches(field, span, in: json)
            guard span.isPresent, let text = header.text(of: span, in: json) else {
                require(!matches, "nothing is the same as a value that is none")
                continue
            }
            require(
                HeaderValue.decode(HeaderValue.encode(text)).map { header.matches($0, span, in: json) } == true, "a value is its own field")
        }
    }

    /// By bytes: an accent may stand alone.
    private static func same(_ one: String?, _ other: String) -> Bool { one.map { $0.utf8.elementsEqual(other.utf8) } ?? false }
}
