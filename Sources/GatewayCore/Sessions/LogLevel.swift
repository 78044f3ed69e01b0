/// The levels of `logging/setLevel`, least severe first (server/utilities/logging).
public enum LogLevel: String, Sendable, CaseIterable, Comparable {
    case debug, info, notice, warning, error, critical, alert, emergency

    private var severity: Int { Self.allCases.firstIndex(of: self) ?? 0 }

    public static func < (left: LogLevel, right: LogLevel) -> Bool { left.severity < right.severity }
}
