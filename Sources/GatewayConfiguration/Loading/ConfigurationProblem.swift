/// One thing that is wrong with the configuration.
public struct ConfigurationProblem: Sendable, Equatable, CustomStringConvertible {
    /// Where a value came from.
    public enum Origin: Sendable, Equatable {
        /// `line` starts at 1; `nil` if the whole file is meant.
        case file(path: String, line: Int?)
        case environment(variable: String)
        case flag(String)
    }

    /// Where the wrong value stands.
    public var origin: Origin
    /// Path of the key, such as `mcpServers.git.command`; `nil` if the problem is not about one key.
    public var key: String?
    /// What is wrong, and what to do.
    public var message: String

    /// - Parameters:
    ///   - origin: where the wrong value stands.
    ///   - key: path of the key, if it is about one.
    ///   - message: what is wrong, and what to do; no value of a key that may be secret.
    public init(origin: Origin, key: String? = nil, message: String) {
        self.origin = origin
        self.key = key
        self.message = message
    }

    /// Line in the file; 0 if none is known.
    var line: Int {
        if case .file(_, let line?) = origin { line } else { 0 }
    }

    /// One line: place, key, message. Control characters, which keys and values of a file may hold, are written as `\u{1b}`.
    public var description: String {
        let place =
            switch origin {
            case .file(let path, let line?): "\(path):\(line)"
            case .file(let path, nil): path
            case .environment(let variable): "environment variable \(variable)"
            case .flag(let name): name
            }
        let line = key.map { "\(place): \($0): \(message)" } ?? "\(place): \(message)"
        return line.unicodeScalars.reduce(into: "") { text, scalar in
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator: text += "\\u{\(String(scalar.value, radix: 16))}"
            default: text.unicodeScalars.append(scalar)
            }
        }
    }
}
