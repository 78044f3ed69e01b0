import Crypto
import Foundation
import MCPProtocol
import NIOCore

/// What the gateway lets a client carry from an `InputRequiredResult` to its retry.
enum RequestState: Sendable, Hashable {
    /// The exchange goes on in the memory of an instance.
    case parked(ParkedState)
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

/// Where an exchange waits for its client's input, and what for.
struct ParkedState: Sendable, Hashable {
    let id: UInt64
    /// Makes it good for one use.
    let attachment: Int
    /// The life of the instance that has it.
    let owner: InstanceIdentity
    /// Where other instances reach that, also those that do not hear of it: it may be cut off from the store alone. Empty for a gateway that is
    /// alone.
    let address: String
    /// Of a request that may be worked on twice: what the client was asked. None of any other.
    let asked: [AskedInput]
    /// Of such a request also: what the client has answered before, in this order (``KnownAnswer/kept(of:)``).
    let answered: [KnownAnswer]
}

/// What a client was asked, so that it need not be asked the same again when its request is worked on again.
struct AskedInput: Sendable, Hashable {
    /// The key among `inputRequests`.
    let key: String
    /// Of method and params.
    let digest: [UInt8]

    static let digestBytes = 16

    init(key: String, digest: [UInt8]) {
        self.key = key
        self.digest = digest
    }

    init(key: String, request: Message) { self.init(key: key, digest: Self.digest(of: request)) }

    /// Enough of the whole to tell questions of one request apart.
    static func digest(of request: Message) -> [UInt8] { Array(RequestState.digest(of: request).prefix(digestBytes)) }
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
        case .parked(let parked):
            payload.writeInteger(UInt8(0))
            payload.write(parked)
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
            guard let parked = buffer.readParkedState() else { throw .forged }
            return .parked(parked)
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

    fileprivate mutating func write(_ parked: ParkedState) {
        writeInteger(parked.id)
        writeInteger(Int64(parked.attachment))
        writeText(parked.owner.name)
        writeInteger(parked.owner.incarnation)
        writeText(parked.address)
        writeInteger(UInt32(parked.asked.count))
        for asked in parked.asked {
            writeText(asked.key)
            writeBytes(asked.digest)
        }
        writeInteger(UInt32(parked.answered.count))
        for answer in parked.answered {
            writeBytes(answer.digest)
            writeInteger(UInt32(answer.result.readableBytes))
            writeImmutableBuffer(answer.result)
        }
    }

    fileprivate mutating func readParkedState() -> ParkedState? {
        guard let id: UInt64 = readInteger(), let attachment: Int64 = readInteger(), let name = readText(),
            let incarnation: UInt64 = readInteger(), let address = readText(), let count: UInt32 = readInteger()
        else { return nil }
        var asked: [AskedInput] = []
        for _ in 0..<count {
            guard let key = readText(), let digest = readBytes(length: AskedInput.digestBytes) else { return nil }
            asked.append(AskedInput(key: key, digest: digest))
        }
        // One that an earlier version made ends here.
        let answers: UInt32 = readInteger() ?? 0
        var answered: [KnownAnswer] = []
        for _ in 0..<answers {
            guard let digest = readBytes(length: AskedInput.digestBytes), let length: UInt32 = readInteger(),
                let result = readSlice(length: Int(length))
            else { return nil }
            answered.append(KnownAnswer(digest: digest, result: result))
        }
        return ParkedState(
            id: id, attachment: Int(attachment), owner: InstanceIdentity(name: name, incarnation: incarnation), address: address,
            asked: asked, answered: answered)
    }
}
