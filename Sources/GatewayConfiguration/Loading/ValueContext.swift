/// What is needed to turn the text of a value into a value.
struct ValueContext {
    /// What an unset variable in `${VAR}` means.
    enum UnsetVariables {
        case areProblems
        /// For entries that are not used now: the text stays as it is, and its shape is not checked.
        case areKept
    }

    var environment: [String: String]
    /// Absolute; what relative paths are relative to.
    var directory: String
    var unsetVariables = UnsetVariables.areProblems

    /// An absolute path without `.` and `..` components, `~/` expanded.
    func absolutePath(_ path: String) -> String {
        let full: String
        if path == "~" || path.hasPrefix("~/") {
            full = SystemDefaults.homeDirectory(environment: environment) + path.dropFirst()
        } else {
            full = path.hasPrefix("/") ? path : directory + "/" + path
        }
        var components: [Substring] = []
        for component in full.split(separator: "/") where component != "." {
            if component == ".." { _ = components.popLast() } else { components.append(component) }
        }
        return "/" + components.joined(separator: "/")
    }
}
