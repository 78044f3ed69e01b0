import GatewayCore
import Glibc
import NIOConcurrencyHelpers
import NIOCore

/// Performs on its event loop what ``ChildLifecycle`` decides.
final class ChildProcessCore {
    let processID: Int32
    let eventLoop: any EventLoop

    private var lifecycle: ChildLifecycle
    private let tail: NIOLockedValueBox<[String]>
    private let release: EventLoopPromise<Void>
    private let processGuard: ProcessGuard
    private var timer: Scheduled<Void>?
    private var input: ChildInput?
    private var outputs: [any Channel] = []
    /// Both until the report.
    private var child: ChildProcess?
    private var delegate: (any ChildProcessDelegate)?
    private var released = false
    private var hasExited = false

    /// - Parameter release: completed when the process may be reaped; until then its id, and its group's, are its own.
    init(
        processID: Int32,
        limits: ChildLimits,
        eventLoop: any EventLoop,
        tail: NIOLockedValueBox<[String]>,
        release: EventLoopPromise<Void>,
        processGuard: ProcessGuard
    ) {
        self.processID = processID
        self.eventLoop = eventLoop
        self.lifecycle = ChildLifecycle(limits: limits)
        self.tail = tail
        self.release = release
        self.processGuard = processGuard
    }

    func connect(input: ChildInput, outputs: [any Channel], child: ChildProcess, delegate: any ChildProcessDelegate) {
        self.input = input
        self.outputs = outputs
        self.child = child
        self.delegate = delegate
    }

    // MARK: Requests

    @inline(__always)
    func send(_ message: ByteBuffer) -> LinkAdmission {
        guard lifecycle.acceptsInput, let input else { return .closed }
        return input.send(message)
    }

    var hasUnreadInput: Bool { input?.isUnread ?? false }

    func setReading(_ isReading: Bool) {
        // Of one that has exited the little that is in the pipe is read at once: it is only waited for so long.
        guard let output = outputs.first, isReading || !hasExited else { return }
        output.setOption(.autoRead, value: isReading).whenFailure { _ in /* closed already */ }
    }

    func stop() {
        perform(lifecycle.stop())
    }

    func kill(because reason: ChildExit.Reason) {
        perform(lifecycle.kill(because: reason))
    }

    // MARK: Events

    @inline(__always)
    func received(line: ByteBuffer) {
        guard let child, let delegate else { return }
        delegate.childProcess(child, received: line)
    }

    func outputEnded() {
        perform(lifecycle.outputEnded())
    }

    func errorOutputEnded() {
        perform(lifecycle.errorOutputEnded())
    }

    func inputBroken() {
        perform(lifecycle.inputBroken())
    }

    func processExited() {
        hasExited = true
        setReading(true)
        perform(lifecycle.processExited())
    }

    func reaped(_ status: ChildExit.Status, problem: String? = nil) {
        perform(lifecycle.reaped(status, problem: problem))
    }

    // MARK: Actions

    private func perform(_ actions: [ChildLifecycle.Action]) {
        for action in actions {
            switch action {
            case .closeInput: input?.close()
            case .terminateGroup: signalGroup(SIGTERM)
            case .killGroup: signalGroup(SIGKILL)
            case .startTimer(let amount): startTimer(amount)
            case .cancelTimer: cancelTimer()
            case .reap: releaseProcess()
            case .closeOutputs: outputs.forEach { $0.close(promise: nil) }
            case .report(let status, let reason): report(status, reason)
            }
        }
    }

    private func signalGroup(_ signal: Int32) {
        // Once reaped the number may be another group's.
        guard !released else { return }
        _ = Glibc.kill(-processID, signal)
    }

    private func startTimer(_ amount: TimeAmount) {
        timer?.cancel()
        let core = NIOLoopBound(self, eventLoop: eventLoop)
        timer = eventLoop.scheduleTask(in: amount) {
            core.value.timer = nil
            core.value.perform(core.value.lifecycle.timerFired())
        }
    }

    private func cancelTimer() {
        timer?.cancel()
        timer = nil
    }

    private func releaseProcess() {
        guard !released else { return }
        released = true
        processGuard.unregister(group: processID)
        release.succeed(())
    }

    private func report(_ status: ChildExit.Status, _ reason: ChildExit.Reason?) {
        input?.abandon()
        guard let child, let delegate else { return }
        self.child = nil
        self.delegate = nil
        self.input = nil
        self.outputs = []
        delegate.childProcess(child, stopped: ChildExit(status: status, reason: reason, stderrTail: tail.withLockedValue { $0 }))
    }
}
