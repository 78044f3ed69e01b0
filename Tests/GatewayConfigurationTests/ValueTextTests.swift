import Testing

@testable import GatewayConfiguration

@Suite struct ValueTextTests {
    @Test(
        "a duration is a number of seconds or a number with a unit",
        arguments: [
            ("200ms", Duration.milliseconds(200)), ("30s", .seconds(30)), ("10m", .seconds(600)), ("24h", .seconds(86_400)),
            ("1.5s", .milliseconds(1500)), ("7d", .seconds(7 * 86_400)), ("12", .seconds(12)), ("0.25", .milliseconds(250)), ("0", .zero),
            ("5 s", .seconds(5)),
        ] as [(String, Duration)])
    func durations(text: String, expected: Duration) {
        #expect(DurationText.parse(text) == expected)
    }

    @Test(
        "what is no duration is refused",
        arguments: ["", "s", "-1s", "1 week", "1e3s", "nan", "inf", "99999999999999d", "1..2s", "10M", "+5s", "٣s"])
    func noDurations(text: String) {
        #expect(DurationText.parse(text) == nil)
    }

    @Test(
        "durations are written with the largest exact unit",
        arguments: ["0s", "200ms", "1500ms", "90s", "10m", "24h", "36h", "7d", "1us", "3ns"])
    func durationFormat(text: String) throws {
        #expect(DurationText.format(try #require(DurationText.parse(text))) == text)
    }

    @Test(
        "a size is a number of bytes or a number with a unit",
        arguments: [
            ("16MiB", 16 << 20), ("4MB", 4_000_000), ("512", 512), ("1 KiB", 1024), ("1.5KiB", 1536), ("2GiB", 2 << 30), ("10kb", 10_000),
            ("7B", 7),
        ])
    func sizes(text: String, expected: Int) {
        #expect(ByteSizeText.parse(text) == expected)
    }

    @Test("what is no size is refused", arguments: ["", "MiB", "-1", "1.0001KiB", "99999999999999999GiB", "16 megabytes", "1e3"])
    func noSizes(text: String) {
        #expect(ByteSizeText.parse(text) == nil)
    }

    @Test("sizes are written with the largest exact unit", arguments: ["1GiB", "64MiB", "32KiB", "1000", "1"])
    func sizeFormat(text: String) throws {
        #expect(ByteSizeText.format(try #require(ByteSizeText.parse(text))) == text)
    }

    @Test(
        "variables are expanded",
        arguments: [
            ("plain", "plain"), ("${A}", "1"), ("x${A}y${B}z", "x1y2z"), ("${NONE:-d}", "d"), ("${EMPTY:-d}", "d"), ("${EMPTY}", ""),
            ("${A:-d}", "1"), ("${NONE:-}", ""), ("$$", "$"), ("$${A}", "${A}"), ("$$$$", "$$"), ("a$b", "a$b"), ("cost: 5$", "cost: 5$"),
            ("${NONE:-a:-b}", "a:-b"),
        ])
    func expansion(text: String, expected: String) throws {
        #expect(try VariableExpansion.expand(text, environment: ["A": "1", "B": "2", "EMPTY": ""]) == expected)
    }

    @Test(
        "what cannot be expanded is refused",
        arguments: [
            ("${NONE}", VariableExpansion.Failure.unset(variable: "NONE")), ("${A", .unterminated), ("${}", .badName("")),
            ("${1A}", .badName("1A")), ("${input:token}", .badName("input:token")), ("${a-b}", .badName("a-b")),
        ] as [(String, VariableExpansion.Failure)])
    func noExpansion(text: String, expected: VariableExpansion.Failure) {
        #expect(throws: expected) { try VariableExpansion.expand(text, environment: [:]) }
    }

    @Test("what a variable holds is not expanded again")
    func noRecursion() throws {
        #expect(try VariableExpansion.expand("${A}", environment: ["A": "${B} $$"]) == "${B} $$")
    }

    @Test(
        "the nearest name is found, and nothing that is far",
        arguments: [
            ("comand", "command"), ("prot", "port"), ("ENV", "env"), ("argz", "args"), ("xyz", nil), ("keepalive", "keepAlive"), ("", nil),
        ] as [(String, String?)])
    func nearest(name: String, expected: String?) {
        #expect(NearestName.find(name, in: ["command", "port", "env", "args", "keepAlive"]) == expected)
    }

    @Test(
        "names of servers follow the rules",
        arguments: [
            ("git", true), ("my-server_2", true), ("", false), ("a__b", false), ("a_", false), ("environment", false), ("a b", false),
            ("é", false), (String(repeating: "a", count: 64), true), (String(repeating: "a", count: 65), false),
        ])
    func names(name: String, isValid: Bool) {
        #expect((ServerName.problem(with: name) == nil) == isValid)
    }
}
