/// Gathers problems of one file, so that all are reported at once.
struct ProblemCollector {
    var path: String
    private(set) var problems: [ConfigurationProblem] = []

    init(path: String) {
        self.path = path
    }

    mutating func add(_ message: String, key: String?, line: Int?) {
        let line = line.flatMap { $0 > 0 ? $0 : nil }
        problems.append(ConfigurationProblem(origin: .file(path: path, line: line), key: key, message: message))
    }
}
