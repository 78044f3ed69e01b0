/// Lets any number of callers share one probe, so that many calls at once do not start as many processes and connections.
///
/// At most one probe runs and one more is due. A caller never gets the result of a probe that began before it asked: it would miss
/// what the caller itself has just done, a commit for instance.
actor SharedProbe<Report: Sendable> {
    private let probe: @Sendable () async -> Report
    private var running: Task<Report, Never>?
    private var next: Task<Report, Never>?

    init(probe: @escaping @Sendable () async -> Report) {
        self.probe = probe
    }

    func report() async -> Report {
        if let next { return await next.value }
        let task = start(after: running)
        if running == nil { running = task } else { next = task }
        return await task.value
    }

    private func start(after previous: Task<Report, Never>?) -> Task<Report, Never> {
        Task {
            _ = await previous?.value
            let report = await probe()
            // Before this task ends, hence before the next probe begins: whoever asks from then on is due for another one.
            running = next
            next = nil
            return report
        }
    }
}
