public import Logging
import NIOConcurrencyHelpers
import Synchronization

/// The log levels of all loggers; can be changed while the program runs.
///
/// A level is set for a prefix of labels: `gateway.upstream` covers the labels `gateway.upstream` and `gateway.upstream.git` but not
/// `gateway.upstreams`. The longest prefix that fits a label wins; without one the default level holds.
public final class LogLevels: Sendable {
    /// The current level of one label. A logger reads it on each call, so it is one atomic load.
    final class Cell: Sendable {
        private let value: Synchronization.Atomic<Int>

        init(_ level: Logger.Level) {
            value = Synchronization.Atomic(Self.number(of: level))
        }

        var level: Logger.Level {
            get { Self.levels[value.load(ordering: .relaxed)] }
            set { value.store(Self.number(of: newValue), ordering: .relaxed) }
        }

        // `allCases` makes an array each time.
        private static let levels = Logger.Level.allCases

        private static func number(of level: Logger.Level) -> Int {
            levels.firstIndex(of: level) ?? 0
        }
    }

    private struct State {
        var defaultLevel: Logger.Level
        var byPrefix: [String: Logger.Level] = [:]
        // One for each label, for good: labels are written in the program, none comes from outside.
        var cells: [String: Cell] = [:]

        func level(for label: String) -> Logger.Level {
            var prefix = label[...]
            while true {
                if let level = byPrefix[String(prefix)] { return level }
                guard let dot = prefix.lastIndex(of: ".") else { return defaultLevel }
                prefix = prefix[..<dot]
            }
        }

        func refresh() {
            for (label, cell) in cells { cell.level = level(for: label) }
        }
    }

    private let state: NIOLockedValueBox<State>

    /// Makes levels where every label has `defaultLevel`.
    public init(default defaultLevel: Logger.Level = .info) {
        state = NIOLockedValueBox(State(defaultLevel: defaultLevel))
    }

    /// The level of labels that no prefix covers.
    public var defaultLevel: Logger.Level {
        get { state.withLockedValue { $0.defaultLevel } }
        set {
            state.withLockedValue {
                $0.defaultLevel = newValue
                $0.refresh()
            }
        }
    }

    /// Sets the level of all labels under `prefix`, in loggers that exist already too; nil takes the setting back.
    public func set(_ level: Logger.Level?, forPrefix prefix: String) {
        state.withLockedValue {
            $0.byPrefix[prefix] = level
            $0.refresh()
        }
    }

    /// Replaces the default level and the levels of all prefixes at once: no logger has a level in between.
    ///
    /// - Parameters:
    ///   - defaultLevel: of labels that no prefix covers.
    ///   - rules: of prefixes given twice the last counts.
    public func apply(default defaultLevel: Logger.Level, rules: [(prefix: String, level: Logger.Level)]) {
        state.withLockedValue { state in
            state.defaultLevel = defaultLevel
            state.byPrefix = Dictionary(rules.map { ($0.prefix, $0.level) }, uniquingKeysWith: { $1 })
            state.refresh()
        }
    }

    /// The level that holds for `label` now.
    public func level(for label: String) -> Logger.Level {
        state.withLockedValue { $0.level(for: label) }
    }

    func cell(for label: String) -> Cell {
        state.withLockedValue { state in
            if let cell = state.cells[label] { return cell }
            let cell = Cell(state.level(for: label))
            state.cells[label] = cell
            return cell
        }
    }
}
