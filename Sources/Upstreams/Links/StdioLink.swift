public import GatewayCore
public import Logging
import MCPProtocol
public import NIOCore

/// Makes links to a stdio MCP server: each is a child process.
public struct StdioLinkFactory: UpstreamLinkFactory {
    let name: String
    let command: ChildCommand
    let limits: ChildLimits
    let logger: Logger

    public init(name: String, command: ChildCommand, limits: ChildLimits = ChildLimits(), logger: Logger) {
        self.name = name
        self.command = command
        self.limits = limits
        var logger = logger
        logger[metadataKey: "upstream"] = "\(name)"
        self.logger = logger
    }

    public func connect(on eventLoop: any EventLoop, delegate: any UpstreamLinkDelegate) -> EventLoopFuture<any UpstreamLink> {
        let link = StdioLink(delegate: delegate, eventLoop: eventLoop)
        return ChildProcess.start(command, limits: limits, on: eventLoop, logger: logger, metrics: delegate.metrics, delegate: link).map {
            child in
            delegate.metrics.processStarted()
            link.child.value = child
            return link
        }
    }
}

/// A child process's pipes as a link.
final class StdioLink: UpstreamLink, ChildProcessDelegate {
    let child: NIOLoopBoundBox<ChildProcess?>
    private let isClosing: NIOLoopBoundBox<Bool>
    private let delegate: any UpstreamLinkDelegate

    init(delegate: any UpstreamLinkDelegate, eventLoop: any EventLoop) {
        self.delegate = delegate
        child = .makeBoxSendingValue(nil, eventLoop: eventLoop)
        isClosing = .makeBoxSendingValue(false, eventLoop: eventLoop)
    }

    func send(_ message: ByteBuffer, call: UInt64?) -> LinkAdmission { child.value?.send(message) ?? .closed }

    func handshakeCompleted(revision: Revision) {}

    var hasUnreadInput: Bool { child.value?.hasUnreadInput ?? false }

    func setReading(_ isReading: Bool) { child.value?.setReading(isReading) }

    func close() {
        isClosing.value = true
        child.value?.stop()
    }

    func childProcess(_ child: ChildProcess, received line: ByteBuffer) { delegate.link(self, received: line) }

    func childProcess(_ child: ChildProcess, stopped exit: ChildExit) {
        delegate.metrics.processStopped()
        delegate.link(self, closed: LinkClosure(description: exit.description, isOrderly: isClosing.value))
        self.child.value = nil
    }
}
