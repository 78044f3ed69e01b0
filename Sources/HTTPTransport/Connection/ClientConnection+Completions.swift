import GatewayCore
import MCPProtocol
import NIOCore
import NIOHTTP1

/// Completions come on other threads; this is their way back to the connection.
extension ClientConnection {
    /// Lets completions that run on other threads come back to the connection.
    var handle: Handle {
        Handle(connection: context.map { NIOLoopBound(Weak(connection: self), eventLoop: $0.eventLoop) })
    }

    struct Weak {
        weak var connection: ClientConnection?
    }

    struct Handle: Sendable {
        let connection: NIOLoopBound<Weak>?

        func onLoop(_ body: @escaping @Sendable (ClientConnection) -> Void) {
            guard let connection else { return }
            if connection.eventLoop.inEventLoop {
                if let connection = connection.value.connection { body(connection) }
            } else {
                onNextTick(body)
            }
        }

        func onNextTick(_ body: @escaping @Sendable (ClientConnection) -> Void) {
            guard let connection else { return }
            connection.eventLoop.execute {
                if let connection = connection.value.connection { body(connection) }
            }
        }
    }
}
