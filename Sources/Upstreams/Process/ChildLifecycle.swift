import NIOCore

/// The life of a child process from its start to its report. A value without I/O: each event returns what to do.
struct ChildLifecycle {
    enum Action: Equatable {
        /// Close the child's standard input, after what is queued for it.
        case closeInput
        /// Signal the whole process group.
        case terminateGroup
        case killGroup
        /// Replaces an earlier timer.
        case startTimer(TimeAmount)
        case cancelTimer
        /// Nothing will be sent to the process or its group again: let it be reaped.
        case reap
        /// Stop reading the child's output pipes.
        case closeOutputs
        /// Tell the delegate. Always the last action.
        case report(ChildExit.Status, ChildExit.Reason?)
    }

    private enum Phase: Equatable {
        case running
        case inputClosed
        case terminating
        case killing
        /// The process has exited; its pipes are read to their end.
        case draining
        case stopped
    }

    private let limits: ChildLimits
    private var phase = Phase.running
    private var reason: ChildExit.Reason?
    private var status: ChildExit.Status?
    private var outputClosed = false
    private var errorOutputClosed = false

    init(limits: ChildLimits) {
        self.limits = limits
    }

    /// Whether messages may still be sent.
    var acceptsInput: Bool { phase == .running }

    mutating func stop() -> [Action] {
        startStopping(because: .stopRequested)
    }

    /// Ends the child at once.
    mutating func kill(because reason: ChildExit.Reason) -> [Action] {
        switch phase {
        case .running, .inputClosed, .terminating:
            // The first reason is the cause.
            self.reason = self.reason ?? reason
            phase = .killing
            return [.cancelTimer, .closeInput, .killGroup]
        case .killing, .draining, .stopped:
            return []
        }
    }

    /// The child no longer reads: nothing can be asked of it.
    mutating func inputBroken() -> [Action] {
        startStopping(because: .closedInput)
    }

    mutating func outputEnded() -> [Action] {
        outputClosed = true
        return startStopping(because: .closedOutput) + reportIfDone()
    }

    mutating func errorOutputEnded() -> [Action] {
        errorOutputClosed = true
        return reportIfDone()
    }

    mutating func timerFired() -> [Action] {
        switch phase {
        case .inputClosed:
            phase = .terminating
            return [.terminateGroup, .startTimer(limits.terminateGrace)]
        case .terminating:
            phase = .killing
            return [.killGroup]
        case .draining:
            return [.closeOutputs]
        case .running, .killing, .stopped:
            return []
        }
    }

    /// The process (not its group) has exited and is not reaped yet, so its process group's number is still its own.
    mutating func processExited() -> [Action] {
        switch phase {
        case .draining, .stopped:
            return []
        case .running, .inputClosed:
            // Pipes close just before a process ends; that it had closed them is only a reason when it lived on.
            if reason == .closedInput || reason == .closedOutput {
                reason = nil
            }
        case .terminating, .killing:
            break
        }
        phase = .draining
        var actions: [Action] = [.killGroup, .closeInput, .reap]
        actions.append(outputClosed && errorOutputClosed ? .cancelTimer : .startTimer(limits.drainGrace))
        return actions
    }

    /// The process has been reaped, or its watcher failed.
    mutating func reaped(_ status: ChildExit.Status, problem: String? = nil) -> [Action] {
        // A process that could not be watched may be reaped without having been seen to exit.
        let actions = processExited()
        if let problem {
            reason = reason ?? .unmanageable(problem)
        }
        self.status = self.status ?? status
        return actions + reportIfDone()
    }

    private mutating func startStopping(because reason: ChildExit.Reason) -> [Action] {
        switch phase {
        case .running:
            self.reason = reason
            phase = .inputClosed
            return [.closeInput, .startTimer(limits.closeInputGrace)]
        case .inputClosed:
            // Asked to stop while it was dying of its own: the request is what counts from now on.
            if reason == .stopRequested {
                self.reason = reason
            }
            return []
        case .terminating, .killing, .draining, .stopped:
            return []
        }
    }

    private mutating func reportIfDone() -> [Action] {
        guard phase == .draining, outputClosed, errorOutputClosed, let status else { return [] }
        phase = .stopped
        return [.cancelTimer, .report(status, reason)]
    }
}
