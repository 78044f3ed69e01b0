import Foundation

/// Colours for a terminal, and nothing elsewhere or with NO_COLOR.
struct ToolsStyle: Sendable {
    static let standardOutput = ToolsStyle(descriptor: STDOUT_FILENO)
    static let standardError = ToolsStyle(descriptor: STDERR_FILENO)

    let isColoured: Bool
    /// Columns of the terminal.
    let width: Int

    private init(descriptor: CInt) {
        let environment = ProcessInfo.processInfo.environment
        let isTerminal = isatty(descriptor) == 1
        isColoured = isTerminal && (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
        var size = winsize()
        let isKnown = isTerminal && ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 20
        width = isKnown ? Int(size.ws_col) : 120
    }

    func bold(_ text: String) -> String { wrap(text, "1") }
    func dim(_ text: String) -> String { wrap(text, "2") }
    func red(_ text: String) -> String { wrap(text, "31") }
    func yellow(_ text: String) -> String { wrap(text, "33") }
    func cyan(_ text: String) -> String { wrap(text, "36") }

    private func wrap(_ text: String, _ code: String) -> String {
        isColoured ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }

    /// What a server sent, without control characters that could steer the terminal. Line feeds and tabs stay.
    static func clean(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    let isControl = (scalar.value < 0x20 && scalar != "\n" && scalar != "\t") || (0x7F...0x9F).contains(scalar.value)
                    return isControl ? "\u{FFFD}" : scalar
                }))
    }

    /// The first line, cut to `width` characters.
    static func oneLine(_ text: String, width: Int) -> String {
        let line = clean(text).split(whereSeparator: \.isNewline).first.map { $0.trimmingCharacters(in: .whitespaces) } ?? ""
        return line.count > width ? line.prefix(max(width - 1, 1)) + "…" : line
    }
}
