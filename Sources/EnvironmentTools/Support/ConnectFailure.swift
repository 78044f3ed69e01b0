import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The system's reasons for a failed connect that a user can do something about.
enum ConnectFailure: Sendable {
    case missing, refused, denied, other

    init(_ error: IOError) {
        switch error.errnoCode {
        case ENOENT, ENOTDIR: self = .missing
        case ECONNREFUSED, ENOTSOCK: self = .refused
        case EACCES, EPERM: self = .denied
        default: self = .other
        }
    }
}
