/// Metrics (`gateway.metrics`).
public struct MetricsSettings: Sendable, Equatable {
    /// Whether they are recorded and `/metrics` is served.
    public var enabled = true

    /// The defaults.
    public init() {}
}
