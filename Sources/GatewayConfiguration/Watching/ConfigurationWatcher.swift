/// Watches the configuration file and reads it again after each edit. One `ConfigurationEvent` per settled edit.
///
/// The file is read at each interval and compared by content, which works for every editor, for symbolic links and on network file
/// systems. Nothing is queued: edits that happen while the consumer is busy are one event. Ends when its task is cancelled.
public struct ConfigurationWatcher: AsyncSequence, Sendable {
    /// One event per settled edit.
    public typealias Element = ConfigurationEvent
    /// Watching does not fail: what cannot be read is an event.
    public typealias Failure = Never

    private let loader: ConfigurationLoader
    private let interval: Duration
    private let clock: any Clock<Duration>
    private let start: FileObservation.Look

    /// - Parameters:
    ///   - loader: the loader that loaded the configuration in use. If it found a file, that file stays the one that is watched.
    ///   - source: `GatewayConfiguration.source`.
    ///   - interval: time between two looks; an edit is reported after two that agree.
    ///   - clock: what to sleep with.
    public init(
        _ loader: ConfigurationLoader, source: String?, interval: Duration = .seconds(1), clock: any Clock<Duration> = ContinuousClock()
    ) {
        var loader = loader
        if let source { loader.configPath = source }
        self.loader = loader
        self.interval = interval
        self.clock = clock
        start = Self.look(loader)
    }

    /// Starts a watch; each iterator reports every edit since the watcher was made.
    public func makeAsyncIterator() -> Iterator {
        Iterator(loader: loader, interval: interval, clock: clock, observation: FileObservation(start))
    }

    /// One watch.
    public struct Iterator: AsyncIteratorProtocol {
        let loader: ConfigurationLoader
        let interval: Duration
        let clock: any Clock<Duration>
        var observation: FileObservation

        /// The next event; `nil` after cancellation.
        public mutating func next() async -> ConfigurationEvent? {
            await next(isolation: nil)
        }

        /// The next event; `nil` after cancellation.
        public mutating func next(isolation actor: isolated (any Actor)?) async -> ConfigurationEvent? {
            while !Task.isCancelled {
                do {
                    try await clock.sleep(for: interval)
                } catch {
                    return nil
                }
                guard observation.observe(ConfigurationWatcher.look(loader)) == .reload else { continue }
                do throws(ConfigurationError) {
                    return .changed(try loader.load())
                } catch {
                    return .refused(error)
                }
            }
            return nil
        }
    }

    private static func look(_ loader: ConfigurationLoader) -> FileObservation.Look {
        guard let path = loader.locate() else { return .missing }
        guard ConfigurationFile.isFile(path) else { return .missing }
        do throws(ConfigurationFile.ReadError) {
            return .contents(path: path, text: try ConfigurationFile.read(path))
        } catch {
            return .unreadable(reason: error.message)
        }
    }
}
