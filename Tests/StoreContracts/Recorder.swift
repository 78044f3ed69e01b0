import NIOConcurrencyHelpers

/// Collects values from completions.
final class Recorder<Value: Sendable>: Sendable {
    private let box = NIOLockedValueBox<[Value]>([])
    var values: [Value] { box.withLockedValue { $0 } }
    func add(_ value: Value) { box.withLockedValue { $0.append(value) } }
}
