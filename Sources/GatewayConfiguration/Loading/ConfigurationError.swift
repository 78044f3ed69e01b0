/// Everything that is wrong with the configuration, at once. Contains no value of a key that may be secret.
public struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Never empty; in the order of flags, environment, file (by line).
    public var problems: [ConfigurationProblem]

    /// - Parameter problems: at least one.
    public init(_ problems: [ConfigurationProblem]) {
        self.problems = problems
    }

    /// One line for one problem; a heading and a line for each of several.
    public var description: String {
        if problems.count == 1, let only = problems.first { return only.description }
        return (["\(problems.count) problems in the configuration:"] + problems.map { "  \($0)" }).joined(separator: "\n")
    }
}
