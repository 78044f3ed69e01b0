import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What the kernel holds for a reader that has not taken it.
enum SendQueue {
    #if os(Linux)
        /// `SO_MEMINFO` (Linux 4.12): nine numbers, see `linux/sock_diag.h`.
        private struct MemoryInfo {
            var values: (UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0, 0, 0, 0, 0, 0)
            /// `SK_MEMINFO_WMEM_QUEUED`
            var queuedForWriting: UInt32 { values.5 }
        }

        private static let memoryInfo: CInt = 55

        /// Bytes of memory that hold what was sent and not acknowledged; nil when the kernel does not tell.
        static func bytes(of channel: any Channel) -> EventLoopFuture<Int?> {
            guard let provider = channel as? any SocketOptionProvider else { return channel.eventLoop.makeSucceededFuture(nil) }
            let found: EventLoopFuture<MemoryInfo> = provider.unsafeGetSocketOption(
                level: SocketOptionLevel(SOL_SOCKET), name: SocketOptionName(memoryInfo))
            return found.map { Int($0.queuedForWriting) }
        }
    #else
        /// Only Linux tells.
        static func bytes(of channel: any Channel) -> EventLoopFuture<Int?> { channel.eventLoop.makeSucceededFuture(nil) }
    #endif
}
