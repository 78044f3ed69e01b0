import NIOCore
import Testing

@testable import Upstreams

@Suite struct ChildLifecycleTests {
    private let limits = ChildLimits()
    private var ended: [ChildLifecycle.Action] { [.killGroup, .closeInput, .reap, .startTimer(limits.drainGrace)] }

    @Test("Stopping closes input, then terminates, then kills, and reports once the pipes are closed and the process is reaped")
    func escalation() {
        var life = ChildLifecycle(limits: limits)
        #expect(life.acceptsInput)
        #expect(life.stop() == [.closeInput, .startTimer(limits.closeInputGrace)])
        #expect(!life.acceptsInput)
        #expect(life.stop() == [])
        #expect(life.timerFired() == [.terminateGroup, .startTimer(limits.terminateGrace)])
        #expect(life.timerFired() == [.killGroup])
        #expect(life.timerFired() == [])
        #expect(life.kill(because: .killRequested) == [])
        #expect(life.processExited() == ended)
        #expect(life.processExited() == [])
        #expect(life.outputEnded() == [])
        #expect(life.reaped(.signalled(signal: 9)) == [])
        #expect(life.errorOutputEnded() == [.cancelTimer, .report(.signalled(signal: 9), .stopRequested)])
        #expect(life.stop() == [])
        #expect(life.kill(because: .killRequested) == [])
        #expect(life.timerFired() == [])
        #expect(life.reaped(.exited(code: 0)) == [])
    }

    @Test("A child that exits by itself has no reason, in whatever order its pipes close")
    func ownExit() {
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            var life = ChildLifecycle(limits: limits)
            var actions: [ChildLifecycle.Action] = []
            for event in order {
                switch event {
                case 0: actions += life.outputEnded()
                case 1: actions += life.errorOutputEnded()
                default: actions += life.processExited()
                }
            }
            actions += life.reaped(.exited(code: 3))
            #expect(actions.last == .report(.exited(code: 3), nil))
            #expect(actions.filter { if case .report = $0 { true } else { false } }.count == 1)
            #expect(actions.filter { $0 == .reap }.count == 1)
        }
    }

    @Test("Pipes that somebody else holds open are closed after the drain grace")
    func heldPipes() {
        var life = ChildLifecycle(limits: limits)
        #expect(life.processExited() == ended)
        #expect(life.reaped(.exited(code: 0)) == [])
        #expect(life.timerFired() == [.closeOutputs])
        #expect(life.outputEnded() == [])
        #expect(life.errorOutputEnded() == [.cancelTimer, .report(.exited(code: 0), nil)])
    }

    @Test("A child that closes its standard output or input and lives on is stopped for that reason")
    func closedPipes() {
        var life = ChildLifecycle(limits: limits)
        #expect(life.outputEnded() == [.closeInput, .startTimer(limits.closeInputGrace)])
        #expect(life.timerFired() == [.terminateGroup, .startTimer(limits.terminateGrace)])
        _ = life.processExited()
        _ = life.errorOutputEnded()
        #expect(life.reaped(.signalled(signal: 15)).last == .report(.signalled(signal: 15), .closedOutput))

        var other = ChildLifecycle(limits: limits)
        #expect(other.inputBroken() == [.closeInput, .startTimer(limits.closeInputGrace)])
        _ = other.timerFired()
        #expect(other.inputBroken() == [])
        _ = other.processExited()
        _ = other.outputEnded()
        _ = other.errorOutputEnded()
        #expect(other.reaped(.signalled(signal: 15)).last == .report(.signalled(signal: 15), .closedInput))
    }

    @Test("The first reason to kill is the one reported, and a stop before it stays the cause")
    func firstReason() {
        var life = ChildLifecycle(limits: limits)
        #expect(life.kill(because: .lineTooLong(limit: 5)) == [.cancelTimer, .closeInput, .killGroup])
        #expect(life.kill(because: .killRequested) == [])
        #expect(life.stop() == [])
        _ = life.outputEnded()
        _ = life.errorOutputEnded()
        _ = life.processExited()
        #expect(life.reaped(.signalled(signal: 9)).last == .report(.signalled(signal: 9), .lineTooLong(limit: 5)))
    }

    @Test("A process that could not be watched is ended and reported as such")
    func unwatchable() {
        var life = ChildLifecycle(limits: limits)
        _ = life.outputEnded()
        _ = life.errorOutputEnded()
        let actions = life.reaped(.signalled(signal: 9), problem: "no pidfd")
        #expect(
            actions == [
                .killGroup, .closeInput, .reap, .cancelTimer, .cancelTimer, .report(.signalled(signal: 9), .unmanageable("no pidfd")),
            ])
    }
}
