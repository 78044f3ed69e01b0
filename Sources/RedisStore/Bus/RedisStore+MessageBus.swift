import NIOConcurrencyHelpers
public import GatewayCore

extension RedisStore: MessageBus {
    public func publish(_ message: BusMessage) {
        signals.publish(message, isLost: isClosed || breaker.withLockedValue { $0.isOpen })
    }

    public func onMessage(_ handler: any BusHandler) { signals.set(handler) }
}
