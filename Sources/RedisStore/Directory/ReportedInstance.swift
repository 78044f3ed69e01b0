import GatewayCore
import RESP

/// An instance as scripts report it: name, incarnation, address, version, colour, started, draining, newest signal.
struct ReportedInstance {
    let identity: InstanceIdentity
    /// What it tells as its address.
    let address: String
    /// Nil where that is none: nothing can be passed on to it.
    let record: InstanceRecord?
    /// The number of its newest signal.
    let signal: UInt64

    init?(_ reply: RESPValue) {
        guard let parts = reply.elements, parts.count >= 8, let name = parts[0].text,
            let incarnation = parts[1].text.flatMap({ UInt64($0) })
        else { return nil }
        let identity = InstanceIdentity(name: name, incarnation: incarnation)
        let colour = parts[4].text ?? ""
        self.identity = identity
        address = parts[2].text ?? ""
        record = (try? InstanceAddress(address)).map { address in
            InstanceRecord(
                identity: identity, address: address, version: parts[3].text ?? "", colour: colour.isEmpty ? nil : colour,
                startedAt: WallTime(milliseconds: parts[5].int ?? 0), isDraining: parts[6].text == "1")
        }
        signal = parts[7].text.flatMap { UInt64($0) } ?? 0
    }
}
