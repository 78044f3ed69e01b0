import FoundationEssentials
import GatewayCore
import Glibc
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Subprocess
import SystemPackage

/// Starts one child: finds the program, spawns it, connects its pipes to the event loop, and waits in one task until it can be reaped.
struct ChildLauncher: Sendable {
    let command: ChildCommand
    let limits: ChildLimits
    let eventLoop: any EventLoop
    let logger: Logger
    let delegate: any ChildProcessDelegate
    let metrics: UpstreamMetrics?
    var processGuard = ProcessGuard.shared

    func launch() -> EventLoopFuture<ChildProcess> {
        let started = eventLoop.makePromise(of: ChildProcess.self)
        Task { await run(started) }
        return started.futureResult
    }

    private func run(_ started: EventLoopPromise<ChildProcess>) async {
        processGuard.ensureRunning(logger: logger)
        let environment = ChildEnvironment.make(
            inherited: ProcessInfo.processInfo.environment, additions: command.environment, marker: processGuard.marker)
        let executable: String
        let pipes: ChildPipes
        do throws(ChildStartError) {
            executable = try ExecutableLookup.resolve(
                command.command, path: environment["PATH"], workingDirectory: command.workingDirectory)
            pipes = try ChildPipes.open()
        } catch {
            started.fail(error)
            return
        }

        var options = PlatformOptions()
        options.processGroupID = 0
        // Between these two the execution is valid, and the process is not reaped: its id cannot become another's.
        let release = eventLoop.makePromise(of: Void.self)
        var spawned = false
        do {
            let result = try await Subprocess.run(
                .path(FilePath(executable)),
                arguments: Arguments(executablePathOverride: command.command, remainingValues: command.arguments),
                environment: .custom(Self.keyed(environment)),
                workingDirectory: command.workingDirectory.map { FilePath($0) },
                platformOptions: options,
                input: .fileDescriptor(FileDescriptor(rawValue: pipes.input.readEnd), closeAfterSpawningProcess: true),
                output: .fileDescriptor(FileDescriptor(rawValue: pipes.output.writeEnd), closeAfterSpawningProcess: true),
                error: .fileDescriptor(FileDescriptor(rawValue: pipes.errorOutput.writeEnd), closeAfterSpawningProcess: true)
            ) { execution in
                spawned = true
                let process = execution.processIdentifier
                processGuard.register(group: process.value, logger: logger)
                eventLoop.execute {
                    connect(
                        processID: process.value, processDescriptor: process.processDescriptor, pipes: pipes,
                        release: release, started: started)
                }
                try? await release.futureResult.get()
            }
            let status: ChildExit.Status =
                switch result.terminationStatus {
                case .exited(let code): .exited(code: code)
                case .signaled(let signal): .signalled(signal: signal)
                }
            reaped(started, status)
        } catch {
            if spawned {
                reaped(started, .signalled(signal: SIGKILL), problem: "\(error)")
            } else {
                release.succeed(())
                pipes.closeOwnEnds()
                started.fail(ChildStartError.spawnFailed(path: executable, problem: Self.explain(error)))
            }
        }
    }

    private func reaped(_ started: EventLoopPromise<ChildProcess>, _ status: ChildExit.Status, problem: String? = nil) {
        started.futureResult.whenSuccess { child in
            child.reaped(status, problem: problem)
        }
    }

    /// On the event loop.
    private func connect(
        processID: Int32,
        processDescriptor: Int32,
        pipes: ChildPipes,
        release: EventLoopPromise<Void>,
        started: EventLoopPromise<ChildProcess>
    ) {
        var logger = logger
        logger[metadataKey: "pid"] = "\(processID)"
        let tail = NIOLockedValueBox<[String]>([])
        let core = ChildProcessCore(
            processID: processID, limits: limits, eventLoop: eventLoop, tail: tail, release: release, processGuard: processGuard)
        let bound = NIOLoopBound(core, eventLoop: eventLoop)

        let input = NIOPipeBootstrap(group: eventLoop)
            .takingOwnershipOfDescriptor(output: pipes.input.writeEnd)
        let output = bootstrap(maximumRead: 256 * 1024) { [limits] in
            LineHandler(maxLineBytes: limits.maxLineBytes) { event in
                switch event {
                case .line(let line): bound.value.received(line: line)
                case .lineTooLong:
                    LimitHits.count(.maxLineBytes)
                    bound.value.kill(because: .lineTooLong(limit: limits.maxLineBytes))
                case .closed: bound.value.outputEnded()
                }
            }
        }.takingOwnershipOfDescriptor(input: pipes.output.readEnd)
        let errorOutput = bootstrap(maximumRead: 64 * 1024) { [limits, logger, metrics, secrets = command.environment] in
            StderrHandler(limits: limits, tail: tail, environment: secrets, metrics: metrics, logger: logger) {
                bound.value.errorOutputEnded()
            }
        }.takingOwnershipOfDescriptor(input: pipes.errorOutput.readEnd)

        input.and(output).and(errorOutput).assumeIsolated().flatMapThrowing { channels in
            let ((inputChannel, outputChannel), errorChannel) = channels
            let childInput = ChildInput(
                channel: inputChannel, descriptor: pipes.input.writeEnd, maxQueuedBytes: limits.maxQueuedInputBytes, metrics: metrics
            ) {
                core.inputBroken()
            }
            try inputChannel.pipeline.syncOperations.addHandler(childInput)
            let child = ChildProcess(core: core, tail: tail)
            core.connect(input: childInput, outputs: [outputChannel, errorChannel], child: child, delegate: delegate)
            started.succeed(child)
            ExitWatch.start(processID: processID, processDescriptor: processDescriptor) {
                eventLoop.execute { bound.value.processExited() }
            }
            for channel in [outputChannel, errorChannel] {
                channel.setOption(.autoRead, value: true).whenFailure { _ in /* closed already */ }
            }
        }.whenFailure { error in
            for channel in [input, output, errorOutput] {
                channel.whenSuccess { $0.close(promise: nil) }
            }
            core.kill(because: .unmanageable("\(error)"))
            core.processExited()
            started.fail(ChildStartError.noPipe(problem: "\(error)"))
        }
    }

    /// Reading starts when the owner knows the child.
    private func bootstrap<Handler: ChannelInboundHandler>(
        maximumRead: Int,
        handler: @escaping @Sendable () -> Handler
    ) -> NIOPipeBootstrap {
        NIOPipeBootstrap(group: eventLoop)
            .channelOption(.autoRead, value: false)
            .channelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 2048, initial: 8192, maximum: maximumRead)
            )
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(handler()) }
            }
    }

    private static func keyed(_ environment: [String: String]) -> [Environment.Key: String] {
        var keyed: [Environment.Key: String] = [:]
        for (name, value) in environment {
            if let key = Environment.Key(rawValue: name) {
                keyed[key] = value
            }
        }
        return keyed
    }

    private static func explain(_ error: any Error) -> String {
        guard let error = error as? SubprocessError else { return "\(error)" }
        switch error.underlyingError {
        case .some(.noSuchFileOrDirectory):
            return "its interpreter (the #! line) does not exist"
        case .some(.execFormatError):
            return "the file is neither a program for this machine nor a script with a #! line"
        case .some(let number):
            return "\(number)"
        case .none:
            return error.description
        }
    }
}
