import Logging
import Testing

@testable import Telemetry

@Suite("Secrets inside text")
struct SecretTextTests {
    private static let id = "0f8fad5b-d9cb-469f-a165-70867728950e"

    @Test(
        "a version-4 UUID keeps its first 8 digits, wherever it is",
        arguments: [
            (id, "0f8fad5b…"), ("0F8FAD5B-D9CB-469F-A165-70867728950E", "0F8FAD5B…"),
            ("session \(id) is unknown", "session 0f8fad5b… is unknown"),
            ("\(id),\(id)", "0f8fad5b…,0f8fad5b…"), ("\(id)\(id)", "0f8fad5b…0f8fad5b…"), ("xyz\(id)xyz", "xyz0f8fad5b…xyz"),
            ("00\(id)-00", "000f8fad5b…-00"), ("---\(id)---", "---0f8fad5b…---"), ("é🦊\(id)🦊", "é🦊0f8fad5b…🦊"),
            ("id=\(id)&x=1", "id=0f8fad5b…&x=1"), ("Mcp-Session-Id: \(id)", "Mcp-Session-Id: 0f8fad5b…"), ("\n\(id)\n", "\n0f8fad5b…\n"),
        ])
    func uuid(text: String, expected: String) {
        #expect(SecretText.redacted(text) == expected)
    }

    @Test(
        "what only looks like a version-4 UUID stays",
        arguments: [
            "0f8fad5b-d9cb-169f-a165-70867728950e", "0f8fad5b-d9cb-469f-a165-70867728950", "0f8fad5b-d9cb-469f-a165-7086772g950e",
            "f8fad5b-d9cb-469f-a165-70867728950e", "0f8fad5b_d9cb-469f-a165-70867728950e", "0f8fad5bd9cb469fa16570867728950e",
            "--------------",
            "0f8fad5b…", "-", "", "d9cb-469f-a165-70867728950e",
        ])
    func noUUID(text: String) {
        #expect(SecretText.redacted(text) == text)
    }

    @Test(
        "credentials, tickets and values that are named as secrets are replaced",
        arguments: [
            ("Bearer abc.def-123", "Bearer [redacted]"), ("sent bearer  abc, then", "sent bearer  [redacted], then"),
            ("Authorization: Basic dXNlcjpwYXNz", "Authorization: [redacted]"),
            ("authorization : Digest a=\nHost: x", "authorization : [redacted]\nHost: x"),
            (#"{"Authorization":"Bearer abc def","a":1}"#, #"{"Authorization":"[redacted]","a":1}"#),
            (#""{\"authorization\":\"Bearer x\",\"a\":1}""#, #""{\"authorization\":\"[redacted]\",\"a\":1}""#),
            (#"[("authorization", "Basic abc"), ("host", "x")]"#, #"[("authorization", "[redacted]"), ("host", "x")]"#),
            ("Set-Cookie: a=b; Path=/", "Set-Cookie: [redacted]"), (#"{"cookie":["a=b"]}"#, #"{"cookie":["[redacted]"]}"#),
            ("GET /sse/events?ticket=abc-_123&x=1 HTTP/1.1", "GET /sse/events?ticket=[redacted]&x=1 HTTP/1.1"),
            ("/sse/events?ticket=abc", "/sse/events?ticket=[redacted]"), (#""ticket": "a\"b", "#, #""ticket": "[redacted]", "#),
            ("https://x.org/?access_token=abc#f", "https://x.org/?access_token=[redacted]"), ("API_KEY='a b' x", "API_KEY='[redacted]' x"),
            ("redis_password: hunter2 at 6379", "redis_password: [redacted] at 6379"),
            ("ClientSecret=hunter2)", "ClientSecret=[redacted])"),
            ("redis://user:hunter2@host:6379/0", "redis://[redacted]@host:6379/0"),
            ("http://a:b@c@host?x=y@z", "http://[redacted]@host?x=y@z"),
            ("token=\(id)", "token=[redacted]"), (#"token="unterminated"#, #"token="[redacted]"#),
            (#"\"token\":\"a"#, #"\"token\":\"[redacted]"#),
        ])
    func named(text: String, expected: String) {
        #expect(SecretText.redacted(text) == expected)
    }

    @Test(
        "ordinary text stays as it is",
        arguments: [
            "unexpected token: }", "the ticket has expired", "tools: get_token, list_secrets", #"["get_token", "x"]"#,
            "http://127.0.0.1:3000/mcp",
            "https://[::1]:3000/a@b", "https://x.org/a?user=a@b", "12:34:56 a=b", "token", "token=", "token:", "password:", "Bearer",
            "Bearer ",
            #""token":"""#, #"\"token\":\"\""#, #"("token","#, "progressToken=5", "://", "a://", "=", ":", ",", #"",""#, "=========",
            "::::::::",
            "        =", #"\\\\\\\\\"=\\"#, "cookie", #"token:\\\\\\\"#, #"token=\\\\\\\\"#.replacing(#"\"#, with: " "),
        ])
    func ordinary(text: String) {
        #expect(SecretText.redacted(text) == text)
    }

    @Test("no full id, ticket or credential is in a line, whatever it stands between, in either format")
    func lines() {
        var random = SeededGenerator(state: 20_261_123)
        let output = LogOutput()
        let loggers = [output.logger(.json), output.logger(.text), output.logger(.text, colours: true)]
        let pieces = [
            " ", "-", "=", ":", ",", "\"", "\\", "\n", "'", "[", "(", "{", "…", "🦊", "a", "4", "://", "@", "token", "\"ticket\"", "cookie",
            "\u{0}",
            "0f8fad5b-", "-4", "Bearer", "session",
        ]
        for _ in 0..<3000 {
            func filler() -> String {
                (0..<Int.random(in: 0...6, using: &random)).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
            }
            let digits = (0..<32).map { _ in String(Int.random(in: 0..<16, using: &random), radix: 16) }.joined()
            let parts = [8, 4, 4, 4, 12].reduce(into: (rest: digits[...], parts: [String]())) {
                $0.parts.append(String($0.rest.prefix($1)))
                $0.rest = $0.rest.dropFirst($1)
            }.parts
            let id = [parts[0], parts[1], "4" + parts[2].dropFirst(), parts[3], parts[4]].joined(separator: "-")
            let text = filler() + id + filler()
            let secret = "s3cr3t" + digits
            for logger in loggers {
                logger.info(
                    "\(text) Bearer \(secret) and \(filler()) ?ticket=\(secret)",
                    metadata: [
                        "\(id)": "\(text)", "convertible": .stringConvertible(Named(description: text)), "nested": ["\(text)": ["\(text)"]],
                        "session": "\(id)", "error": "\(Named(description: "Authorization: \(secret)"))", "ticket": "\(secret)",
                    ])
            }
        }
        #expect(output.lines.count == 9000)
        // Beyond the first 8 digits nothing is left that has the form of an id.
        let form = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/
        for line in output.lines where line.contains("s3cr3t") || line.firstMatch(of: form) != nil { Issue.record("leaks: \(line)") }
    }

    @Test("an error that is logged is searched too, and numbers stay numbers")
    func errors() throws {
        let output = LogOutput()
        output.logger(.json).error(
            "failed", error: Named(description: "unknown session \(Self.id)"),
            metadata: ["count": .stringConvertible(UInt8(3)), "on": .stringConvertible(true)])
        #expect(output.last.contains(#""count":3,"error":"unknown session 0f8fad5b…","on":true}"#))
    }

    @Test("keys that become equal do not stop the program")
    func equalKeys() {
        let output = LogOutput()
        let other = "0f8fad5b-0000-4000-8000-000000000000"
        output.logger(.json).info("x", metadata: ["sessions": ["\(Self.id)": "a", "\(other)": "a"]])
        #expect(output.last.contains(#""sessions":{"0f8fad5b…":"a"}}"#))
    }
}

private struct Named: Error, CustomStringConvertible {
    let description: String
}

/// The same numbers for the same seed (SplitMix64).
private struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ bits >> 30) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
        return bits ^ bits >> 31
    }
}
