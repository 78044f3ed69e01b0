/// Finds secrets inside text by their form.
///
/// - A version-4 UUID, which is what session ids are, keeps its first 8 digits: `0f8fad5b…`.
/// - `ticket=…`, `access_token=…`, `"token": "…"`, `password: …`: the value goes, when `SecretKey` knows the name. After a colon without
///   quotes it goes for passwords and header fields only, since prose has colons too.
/// - `Authorization: …` and `Cookie: …`: the rest of the line goes.
/// - `Bearer …`: the credentials go.
/// - `redis://user:password@host`: what is before the `@` goes.
///
/// One pass over the bytes; only at `-`, `=`, `:`, commas after quotes and spaces after an `r` is more looked at. Nothing is allocated where
/// nothing is found.
enum SecretText {
    /// `text` without the secrets that are found in it.
    static func redacted(_ text: String) -> String {
        // The shortest that can be found: `ticket=x`.
        guard text.utf8.count >= 8 else { return text }
        var text = text
        let replaced = text.withUTF8 { bytes -> [UInt8]? in
            var scan = Scan(bytes: bytes)
            scan.run()
            guard !scan.found.isEmpty else { return nil }
            return replace(scan.found, in: bytes)
        }
        guard let replaced else { return text }
        return String(decoding: replaced, as: UTF8.self)
    }

    private struct Finding {
        var range: Range<Int>
        var isUUID: Bool
    }

    private static func replace(_ findings: [Finding], in bytes: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var position = 0
        for finding in findings {
            result += bytes[position..<finding.range.lowerBound]
            result += (finding.isUUID ? "…" : SecretRedactor.replacement).utf8
            position = finding.range.upperBound
        }
        result += bytes[position...]
        return result
    }

    private struct Scan {
        let bytes: UnsafeBufferPointer<UInt8>
        /// Ascending, without overlap.
        var found: [Finding] = []

        init(bytes: UnsafeBufferPointer<UInt8>) {
            self.bytes = bytes
        }

        mutating func run() {
            var index = 0
            while index < bytes.count {
                let finding: Finding? =
                    switch bytes[index] {
                    case UInt8(ascii: "-"): uuid(firstDash: index)
                    case UInt8(ascii: "="), UInt8(ascii: ","): value(afterSeparator: index)
                    case UInt8(ascii: ":"): userInformation(afterScheme: index) ?? value(afterSeparator: index)
                    case UInt8(ascii: " "): credentials(afterBearer: index)
                    default: nil
                    }
                if let finding {
                    found.append(finding)
                    index = max(index + 1, finding.range.upperBound)
                } else {
                    index += 1
                }
            }
        }

        /// What follows the first 8 digits of a version-4 UUID. Whatever is around it: text that runs into an id must not hide it.
        private func uuid(firstDash dash: Int) -> Finding? {
            // 8-4-4-4-12 digits.
            let end = dash + 28
            guard dash >= 8, end <= bytes.count, bytes[dash + 10] == UInt8(ascii: "-"), bytes[dash + 6] == UInt8(ascii: "4"),
                bytes[dash + 5] == UInt8(ascii: "-"), bytes[dash + 15] == UInt8(ascii: "-")
            else { return nil }
            for index in dash - 8..<end where !Self.isHexadecimal(bytes[index]) {
                guard index == dash || index == dash + 5 || index == dash + 10 || index == dash + 15 else { return nil }
            }
            return Finding(range: dash..<end, isUUID: true)
        }

        /// The value of a pair: `key=value`, `key: value`, `"key": "value"`, `("key", "value")`.
        private func value(afterSeparator separator: Int) -> Finding? {
            var keyEnd = separator
            while keyEnd > 0, bytes[keyEnd - 1] == UInt8(ascii: " ") { keyEnd -= 1 }
            // `\"` is a quote in JSON that is itself in a string.
            while keyEnd > 0, Self.isQuote(bytes[keyEnd - 1]) || bytes[keyEnd - 1] == UInt8(ascii: "\\") { keyEnd -= 1 }
            var keyStart = keyEnd
            while keyStart > 0, keyEnd - keyStart < SecretKey.maxLength, SecretKey.isPart(bytes[keyStart - 1]) { keyStart -= 1 }
            // A comma separates words of a list too: only in Swift's description of a pair it is between key and value.
            if bytes[separator] == UInt8(ascii: ",") {
                guard keyStart >= 2, bytes[keyStart - 1] == UInt8(ascii: "\""), bytes[keyStart - 2] == UInt8(ascii: "(") else { return nil }
            }
            guard let kind = SecretKey.kind(of: UnsafeBufferPointer(rebasing: bytes[keyStart..<keyEnd])) else { return nil }

            var start = separator + 1
            while start < bytes.count, Self.isBeforeValue(bytes[start]) { start += 1 }
            guard start < bytes.count else { return nil }
            let end: Int
            if Self.isQuote(bytes[start]) {
                let quote = bytes[start]
                let isEscaped = bytes[start - 1] == UInt8(ascii: "\\")
                start += 1
                // What an escaped quote began ends with one, and what a plain one began does not.
                end = self.end(from: start) { bytes[$0] == quote && (bytes[$0 - 1] == UInt8(ascii: "\\")) == isEscaped }
                return finding(start..<(isEscaped && end < bytes.count ? end - 1 : end))
            }
            switch kind {
            case .header: end = self.end(from: start) { bytes[$0] == 0x0a || bytes[$0] == 0x0d || Self.isQuote(bytes[$0]) }
            case .secret where bytes[separator] != UInt8(ascii: "="): return nil
            case .secret, .password: end = self.end(from: start) { Self.endsValue(bytes[$0]) }
            }
            return finding(start..<end)
        }

        private func credentials(afterBearer space: Int) -> Finding? {
            guard space >= 6, bytes[space - 1] | 0x20 == UInt8(ascii: "r"), matches("bearer", at: space - 6) else { return nil }
            var start = space
            while start < bytes.count, bytes[start] == UInt8(ascii: " ") { start += 1 }
            return finding(start..<end(from: start) { Self.endsValue(bytes[$0]) })
        }

        private func userInformation(afterScheme colon: Int) -> Finding? {
            let start = colon + 3
            guard start < bytes.count, bytes[colon + 1] == UInt8(ascii: "/"), bytes[colon + 2] == UInt8(ascii: "/") else { return nil }
            let authorityEnd = end(from: start) { Self.endsAuthority(bytes[$0]) }
            // The last `@`: a password may have one that is not encoded.
            return bytes[start..<authorityEnd].lastIndex(of: UInt8(ascii: "@")).flatMap { finding(start..<$0) }
        }

        private func end(from start: Int, where isEnd: (Int) -> Bool) -> Int {
            var end = start
            while end < bytes.count, !isEnd(end) { end += 1 }
            return end
        }

        private func finding(_ range: Range<Int>) -> Finding? {
            range.isEmpty ? nil : Finding(range: range, isUUID: false)
        }

        private func matches(_ word: StaticString, at start: Int) -> Bool {
            for offset in 0..<word.utf8CodeUnitCount where bytes[start + offset] | 0x20 != word.utf8Start[offset] { return false }
            return true
        }

        private static func isHexadecimal(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): true
            case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"): true
            default: false
            }
        }

        private static func isQuote(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") }

        private static func isBeforeValue(_ byte: UInt8) -> Bool {
            byte == UInt8(ascii: " ") || byte == UInt8(ascii: "[") || byte == UInt8(ascii: "\\")
        }

        private static func endsValue(_ byte: UInt8) -> Bool {
            switch byte {
            case 0...0x20, UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "&"), UInt8(ascii: ","), UInt8(ascii: ";"): true
            case UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"), UInt8(ascii: "<"), UInt8(ascii: ">"): true
            default: false
            }
        }

        /// RFC 3986, section 3.2.
        private static func endsAuthority(_ byte: UInt8) -> Bool {
            byte <= 0x20 || isQuote(byte) || byte == UInt8(ascii: "/") || byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#")
        }
    }
}
