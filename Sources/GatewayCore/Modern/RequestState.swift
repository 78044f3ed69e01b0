import Crypto
import Foundation
import MCPProtocol
import NIOCore

/// What the gateway lets a client carry from an `InputRequiredResult` to its retry.
enum RequestState: Sendable, Hashable {
    /// The exchange goes on in the memory of the instance `owner` (``InstanceIdentity/description``; empty for a gateway that is alone).
    /// `attachment` makes it good for one use.
    case parked(id: UInt64, attachment: Int, owner: String)
    /// The state of a modern server's own.
    case upstream(server: String, state: String)

    /// What the retry must have in common with the request before: method and params, without what a retry adds and `_meta`.
    static func digest(of request: Message) -> [UInt8] {
        var hash = SHA256()
        hash.update(data: Data(request.methodName.name.utf8))
        hash.update(data: [0])
        var canonical = ByteBuffer()
        canonical.writeCanonical(request.json, request.params, leavingOut: ["_meta", "inputResponses", "requestState"])
        canonical.withUnsafeReadableBytes { hash.update(bufferPointer: $0) }
        return Array(hash.finalize())
    }
}

/// Why a `requestState` is not taken.
enum RequestStateError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Not made by this gateway, or changed.
    case forged
    case expired
    /// Made for another request, or another endpoint.
    case foreign

    /// A sentence for the client.
    var description: String {
        let reason =
            switch self {
            case .forged: "it was not made by this gateway, or was changed"
            case .expired: "it has expired (limits.parkedExchangeTimeout)"
            case .foreign: "it belongs to another request"
            }
        return "params.requestState is refused: \(reason); send the request again without it"
    }
}

/// Seals and opens `requestState`: AES-GCM with a key that all instances share, so that nobody else can make, read or change one
/// (2026-07-28, basic/patterns/mrtr, "Server Requirements").
struct RequestStateAuthority: Sendable {
    private let key: SymmetricKey

    init(key: SymmetricKey) { self.key = key }

    /// - Parameters:
    ///   - digest: of the request, ``RequestState/digest(of:)``.
    ///   - scope: the endpoint's server.
    /// - Returns: the state as text.
    func seal(_ state: RequestState, digest: [UInt8], scope: String, expires: WallTime) -> String {
        var payload = ByteBuffer()
        payload.writeInteger(expires.milliseconds)
        payload.writeBytes(digest)
        payload.writeText(scope)
        switch state {
        case .parked(let id, let attachment, let owner):
            payload.writeInteger(UInt8(0))
            payload.writeInteger(id)
            payload.writeInteger(Int64(attachment))
            payload.writeText(owner)
        case .upstream(let server, let state):
            payload.writeInteger(UInt8(1))
            payload.writeText(server)
            payload.writeText(state)
        }
        // Sealing fails for no input; an empty text would be refused when it came back.
        guard let box = try? AES.GCM.seal(Data(payload.readableBytesView), using: key), let combined = box.combined else { return "" }
        return combined.base64EncodedString()
    }

    /// - Throws: ``RequestStateError``.
    func open(_ text: String, digest: [UInt8], scope: String, now: WallTime) throws(RequestStateError) -> RequestState {
        guard let data = Data(base64Encoded: text), let box = try? AES.GCM.SealedBox(combined: data),
            let payload = try? AES.GCM.open(box, using: key)
        else { throw .forged }
        var buffer = ByteBuffer(bytes: payload)
        guard let expires: Int64 = buffer.readInteger(), let sealed = buffer.readBytes(length: SHA256.byteCount),
            let sealedScope = buffer.readText(), let kind: UInt8 = buffer.readInteger()
        else { throw .forged }
        guard now.milliseconds <= expires else { throw .expired }
        guard sealed == digest, sealedScope == scope else { throw .foreign }
        switch kind {
        case 0:
            guard let id: UInt64 = buffer.readInteger(), let attachment: Int64 = buffer.readInteger(), let owner = buffer.readText()
            else { throw .forged }
            return .parked(id: id, attachment: Int(attachment), owner: owner)
        case 1:
            guard let server = buffer.readText(), let state = buffer.readText() else { throw .forged }
            return .upstream(server: server, state: state)
        default: throw .forged
        }
    }
}

extension ByteBuffer {
    fileprivate mutating func writeText(_ text: String) {
        writeInteger(UInt32(text.utf8.count))
        writeString(text)
    }

    fileprivate mutating func readText() -> String? {
        guard let length: UInt32 = readInteger() else { return nil }
        return readString(length: Int(length))
    }
}
