import NIOCore

/// `/api/openapi.json`: the file `openapi.json` beside this one, which is compiled in.
enum OpenAPIDocument {
    /// - Parameter version: the gateway's.
    static func bytes(version: String) -> ByteBuffer {
        let text = String(decoding: PackageResources.openapi_json, as: UTF8.self)
        guard let mark = text.firstRange(of: "@VERSION@") else { return ByteBuffer(string: text) }
        return ByteBuffer(string: text.replacingCharacters(in: mark, with: version))
    }
}

extension String {
    fileprivate func replacingCharacters(in range: Range<Index>, with text: String) -> String {
        String(self[..<range.lowerBound]) + text + String(self[range.upperBound...])
    }
}
