import NIOCore

extension EventLoop {
    /// Runs something on the loop, from the loop, once the time has come; it need not be Sendable.
    func run(in delay: TimeAmount, _ body: @escaping () -> Void) -> Scheduled<Void> {
        assumeIsolated().scheduleTask(in: delay, body)
    }

    /// As ``run(in:_:)``, at a time.
    func run(at deadline: NIODeadline, _ body: @escaping () -> Void) -> Scheduled<Void> {
        assumeIsolated().scheduleTask(deadline: deadline, body)
    }
}
