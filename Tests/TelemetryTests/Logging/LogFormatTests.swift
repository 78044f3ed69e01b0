import Foundation
import Logging
import Testing

@testable import Telemetry

@Suite("Log formats")
struct LogFormatTests {
    let output = LogOutput()

    @Test("a JSON line has the time, level, logger and message, then the metadata by key")
    func json() {
        output.logger(.json).warning("slow", metadata: ["upstream": "git", "ms": "\(12)", "count": .stringConvertible(3)])
        #expect(
            output.last
                == #"{"time":"2026-11-23T21:16:43.045Z","level":"warning","logger":"gateway.test","message":"slow","#
                + #""count":3,"ms":"12","upstream":"git"}"# + "\n")
    }

    @Test("every control character, quote and broken UTF-8 sequence ends up as valid JSON on one line")
    func escaping() throws {
        let controls = String(String.UnicodeScalarView((0...0x9f).compactMap(Unicode.Scalar.init)))
        let broken = String(decoding: [0x61, 0xff, 0xc3, 0x28, 0xed, 0xa0, 0x80] as [UInt8], as: UTF8.self)
        let text = controls + "\"\\/\u{2028}🦊" + broken
        output.logger(.json).info("\(text)", metadata: ["\(text)": "\(text)"])
        #expect(output.last.utf8.filter { $0 == UInt8(ascii: "\n") }.count == 1)
        #expect(output.last.hasSuffix("}\n"))
        let object = try output.lastObject()
        // Compared by scalars: Swift calls strings equal that differ in form only.
        #expect((object["message"] as? String).map { Array($0.unicodeScalars) } == Array(text.unicodeScalars))
        #expect((object[text] as? String).map { Array($0.unicodeScalars) } == Array(text.unicodeScalars))
    }

    @Test("nested metadata is nested JSON, numbers and booleans keep their kind")
    func nested() throws {
        output.logger(.json).info(
            "x",
            metadata: [
                "list": ["a", .stringConvertible(1.5)], "map": ["k": .stringConvertible(true)], "nan": .stringConvertible(Double.nan),
            ])
        #expect(output.last.contains(#""list":["a",1.5],"map":{"k":true},"nan":"nan"}"#))
        _ = try output.lastObject()
    }

    @Test("metadata cannot take the place of the line's own members")
    func reserved() throws {
        output.logger(.json).info("real", metadata: ["message": "forged", "time": "never"])
        let object = try output.lastObject()
        #expect(object["message"] as? String == "real")
        #expect(object["metadata.message"] as? String == "forged")
        #expect(object["time"] as? String == "2026-11-23T21:16:43.045Z")
    }

    @Test("an error that is logged becomes metadata")
    func error() throws {
        output.logger(.json).error("failed", error: CancellationError())
        #expect(try output.lastObject()["error"] as? String == "CancellationError()")
    }

    @Test("a text line is readable and quotes values that need it")
    func text() {
        output.logger(.text).info("hello", metadata: ["a": "b", "c": "d e", "e": ""])
        #expect(output.last == "21:16:43.045 INFO     hello a=b c=\"d e\" e=\"\"\n")
    }

    @Test("text cannot be made to forge lines or to steer the terminal")
    func textInjection() {
        output.logger(.text).info("a\nb\u{1b}[2J\u{9b}c", metadata: ["k": "x\ny\u{1b}\u{9b}"])
        #expect(output.last == "21:16:43.045 INFO     a\\nb<U+1B>[2J<U+9B>c k=\"x\\ny\\u001b<U+9B>\"\n")
    }

    @Test("colours are for terminals only")
    func colours() {
        output.logger(.text).info("x")
        #expect(!output.last.contains("\u{1b}"))
        output.logger(.text, colours: true).info("x")
        #expect(output.last.contains("\u{1b}[32mINFO\u{1b}[0m"))
    }

    @Test("auto is JSON away from a terminal and text on one, without colours when NO_COLOR is set")
    func auto() {
        guard case .json = LoggingBootstrap.encoder(format: .auto, isTerminal: false, noColour: false) else {
            Issue.record("not JSON")
            return
        }
        guard case .text(let encoder) = LoggingBootstrap.encoder(format: .auto, isTerminal: true, noColour: true) else {
            Issue.record("not text")
            return
        }
        #expect(!encoder.colours)
    }

    @Test("times agree with Foundation's, far back and far ahead and across seconds")
    func times() {
        let timestamp = LogTimestamp()
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        for second in stride(from: Int64(-2_000_000_000), to: 8_000_000_000, by: 12_345_679) + [0, -1, 951_782_399, 951_782_400] {
            var line: [UInt8] = []
            timestamp.write(second * 1_000_000_000 + 250_000_000, to: &line)
            let expected = Date(timeIntervalSince1970: Double(second) + 0.25).formatted(style)
            #expect(String(decoding: line, as: UTF8.self) == expected)
        }
    }
}
