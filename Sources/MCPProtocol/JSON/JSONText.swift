public import NIOCore

/// Validated JSON bytes that members and elements can be looked up in, without decoding.
public struct JSONText: Sendable {
    /// The bytes; the readable part is the JSON text.
    public let bytes: ByteBuffer
    /// Where the outermost value lies (surrounding white space left out).
    public let root: JSONSpan

    /// Validates `bytes` as one JSON text.
    ///
    /// - Parameter maxDepth: how deeply objects and arrays may nest.
    public init(validating bytes: ByteBuffer, maxDepth: Int = Message.defaultMaxDepth) throws(JSONScanError) {
        let result: Result<JSONSpan, JSONScanError> = bytes.withUnsafeReadableBytes { pointer in
            var scanner = JSONScanner(pointer, maxDepth: maxDepth)
            do throws(JSONScanError) {
                scanner.skipWhitespace()
                let span = try scanner.nextValue(depth: 0)
                scanner.skipWhitespace()
                guard scanner.position == pointer.count else { throw JSONScanError(.trailingBytes, at: scanner.position) }
                return .success(span)
            } catch {
                return .failure(error)
            }
        }
        self.bytes = bytes
        self.root = try result.get()
    }

    init(validated bytes: ByteBuffer, root: JSONSpan) {
        self.bytes = bytes
        self.root = root
    }

    /// Calls `body` with each member of the object at `span`: its raw key (between the quotes, escapes kept) and value.
    /// Stops when `body` returns false. Does nothing when the value is no object.
    public func forEachMember(of span: JSONSpan, _ body: (_ key: UnsafeRawBufferPointer, _ value: JSONSpan) -> Bool) {
        bytes.withUnsafeReadableBytes { pointer in
            var walker = JSONWalker(pointer, at: Int(span.start))
            guard span.isPresent, walker.enter(UInt8(ascii: "{")) else { return }
            while let key = walker.nextKey() {
                let value = walker.skipValue()
                guard body(UnsafeRawBufferPointer(rebasing: pointer[key.range]), value) else { return }
                walker.skipComma()
            }
        }
    }

    /// Calls `body` with where each member of the object at `span` lies: the key between its quotes, and the value.
    public func forEachMemberSpan(of span: JSONSpan, _ body: (_ key: JSONSpan, _ value: JSONSpan) -> Void) {
        bytes.withUnsafeReadableBytes { pointer in
            var walker = JSONWalker(pointer, at: Int(span.start))
            guard span.isPresent, walker.enter(UInt8(ascii: "{")) else { return }
            while let key = walker.nextKey() {
                body(key, walker.skipValue())
                walker.skipComma()
            }
        }
    }

    /// The key at `span`, decoded.
    public func key(_ span: JSONSpan) -> String {
        bytes.withUnsafeReadableBytes { decodeJSONStringContent(UnsafeRawBufferPointer(rebasing: $0[span.range])) }
    }

    /// Whether the object at `span` has no members.
    public func isEmptyObject(_ span: JSONSpan) -> Bool {
        var isEmpty = true
        forEachMember(of: span) { _, _ in
            isEmpty = false
            return false
        }
        return isEmpty
    }

    /// The splice that puts raw members (`"key":value,…`) at the beginning of the object at `object`.
    public func insertion(of members: ByteBuffer, into object: JSONSpan) -> Splice {
        var bytes = members
        if !isEmptyObject(object) { bytes.writeStaticString(",") }
        return Splice(JSONSpan(start: object.start + 1, end: object.start + 1), .bytes(bytes))
    }

    /// The splices that take members out of the object at `object` and put others in. The members that stay keep their places, so that other
    /// splices may change them.
    ///
    /// - Parameter members: raw members (`"key":value,…`).
    public func replacement(of names: [StaticString], in object: JSONSpan, by members: ByteBuffer?) -> [Splice] {
        var kept: [JSONSpan] = []
        var isAnyRemoved = false
        bytes.withUnsafeReadableBytes { pointer in
            forEachMemberSpan(of: object) { key, value in
                let name = UnsafeRawBufferPointer(rebasing: pointer[key.range])
                if names.contains(where: { name.isKey($0) }) {
                    isAnyRemoved = true
                } else {
                    kept.append(JSONSpan(start: key.start - 1, end: value.end))
                }
            }
        }
        guard isAnyRemoved else { return members.map { [insertion(of: $0, into: object)] } ?? [] }
        // What lies between those that stay is written anew.
        let ends = [object.start + 1] + kept.map(\.end)
        let starts = kept.map(\.start) + [object.end - 1]
        return zip(ends, starts).enumerated().map { index, gap in
            var bytes = index == 0 ? members ?? ByteBuffer() : ByteBuffer()
            let isFirst = index == 0 && bytes.readableBytes == 0
            if index < kept.count, !isFirst { bytes.writeStaticString(",") }
            return Splice(JSONSpan(start: gap.0, end: gap.1), .bytes(bytes))
        }
    }

    /// Calls `body` with each element of the array at `span`. Stops when `body` returns false.
    public func forEachElement(of span: JSONSpan, _ body: (JSONSpan) -> Bool) {
        bytes.withUnsafeReadableBytes { pointer in
            var walker = JSONWalker(pointer, at: Int(span.start))
            guard span.isPresent, walker.enter(UInt8(ascii: "[")) else { return }
            while walker.hasElement() {
                guard body(walker.skipValue()) else { return }
                walker.skipComma()
            }
        }
    }

    /// The elements of the array at `span`.
    public func elements(of span: JSONSpan) -> [JSONSpan] {
        var result: [JSONSpan] = []
        forEachElement(of: span) {
            result.append($0)
            return true
        }
        return result
    }

    /// The value of member `key` of the object at `span`, or `.absent`.
    public func member(_ key: StaticString, of span: JSONSpan) -> JSONSpan {
        var found = JSONSpan.absent
        forEachMember(of: span) { name, value in
            guard name.isKey(key) else { return true }
            found = value
            return false
        }
        return found
    }

    /// The raw bytes of the value at `span`, a slice without a copy; nil when absent.
    public func slice(_ span: JSONSpan) -> ByteBuffer? {
        guard span.isPresent else { return nil }
        return bytes.getSlice(at: bytes.readerIndex + Int(span.start), length: span.count)
    }

    /// The decoded string at `span`; nil when the value is no string.
    public func string(_ span: JSONSpan) -> String? {
        guard span.isPresent else { return nil }
        return bytes.withUnsafeReadableBytes { decodeJSONString(UnsafeRawBufferPointer(rebasing: $0[span.range])) }
    }

    /// The integer at `span`; nil when the value is none or does not fit.
    public func integer(_ span: JSONSpan) -> Int? {
        guard span.isPresent, span.count <= 20 else { return nil }
        return bytes.withUnsafeReadableBytes { Int(String(decoding: UnsafeRawBufferPointer(rebasing: $0[span.range]), as: UTF8.self)) }
    }

    /// The value at `span` if it is an unsigned integer without sign, fraction, exponent or leading zeros.
    public func unsigned(_ span: JSONSpan) -> UInt64? {
        guard span.isPresent, span.count <= 19 else { return nil }
        return bytes.withUnsafeReadableBytes { pointer in
            var value: UInt64 = 0
            for byte in UnsafeRawBufferPointer(rebasing: pointer[span.range]) {
                guard byte &- UInt8(ascii: "0") < 10 else { return nil }
                value = value &* 10 &+ UInt64(byte &- UInt8(ascii: "0"))
            }
            return value
        }
    }

    /// Whether the value at `span` is the literal `true`.
    public func isTrue(_ span: JSONSpan) -> Bool { equals(span, "true") }

    /// Whether the raw bytes at `span` are `text`.
    public func equals(_ span: JSONSpan, _ text: StaticString) -> Bool {
        guard span.isPresent else { return false }
        return bytes.withUnsafeReadableBytes { UnsafeRawBufferPointer(rebasing: $0[span.range]).equals(text) }
    }

    /// The first byte of the value at `span`: tells an object from a string from a number.
    public func firstByte(_ span: JSONSpan) -> UInt8? {
        guard span.isPresent else { return nil }
        return bytes.getInteger(at: bytes.readerIndex + Int(span.start))
    }

    /// Whether the value at `span` is an object.
    public func isObject(_ span: JSONSpan) -> Bool { firstByte(span) == UInt8(ascii: "{") }
}

extension UnsafeRawBufferPointer {
    /// Whether the bytes are those of `text`.
    @inlinable
    public func equals(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        for offset in 0..<count where self[offset] != text.utf8Start[offset] { return false }
        return true
    }

    /// Whether the bytes between a key's quotes are those of `text`, escaped or not: some writers escape every `/`.
    public func isKey(_ text: StaticString) -> Bool {
        if equals(text) { return true }
        // With escapes it is longer.
        guard count > text.utf8CodeUnitCount, contains(UInt8(ascii: "\\")) else { return false }
        var decoded = decodeJSONStringContent(self)
        return decoded.withUTF8 { UnsafeRawBufferPointer($0).equals(text) }
    }
}

/// Walks over bytes that were validated before.
private struct JSONWalker {
    let bytes: UnsafeRawBufferPointer
    var position: Int

    init(_ bytes: UnsafeRawBufferPointer, at position: Int) {
        self.bytes = bytes
        self.position = position
    }

    mutating func skipWhitespace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    mutating func enter(_ bracket: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == bracket else { return false }
        position += 1
        return true
    }

    mutating func nextKey() -> JSONSpan? {
        skipWhitespace()
        guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else { return nil }
        let start = position + 1
        skipString()
        let key = JSONSpan(start, position - 1)
        skipWhitespace()
        position += 1
        skipWhitespace()
        return key
    }

    mutating func hasElement() -> Bool {
        skipWhitespace()
        return position < bytes.count && bytes[position] != UInt8(ascii: "]")
    }

    mutating func skipComma() {
        skipWhitespace()
        if position < bytes.count, bytes[position] == UInt8(ascii: ",") { position += 1 }
    }

    mutating func skipString() {
        position += 1
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                position += 1
                return
            case UInt8(ascii: "\\"): position += 2
            default: position += 1
            }
        }
    }

    mutating func skipValue() -> JSONSpan {
        let start = position
        var depth = 0
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                skipString()
                if depth == 0 { return JSONSpan(start, position) }
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                position += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if depth == 0 { return JSONSpan(start, position) }
                depth -= 1
                position += 1
                if depth == 0 { return JSONSpan(start, position) }
            case UInt8(ascii: ","), 0x20, 0x09, 0x0A, 0x0D:
                if depth == 0 { return JSONSpan(start, position) }
                position += 1
            default:
                position += 1
            }
        }
        return JSONSpan(start, position)
    }
}
