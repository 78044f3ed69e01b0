import FoundationEssentials
import GatewayCore
import NIOCore

/// The arguments of `get-development-environment-status`.
struct EnvironmentStatusArguments: Sendable, Equatable {
    var checkDatabase = true
    var checkDocker = true
    var checkGit = true

    static let names = ["checkDatabase", "checkDocker", "checkGit"]

    init() {}

    /// Reads the JSON object of `params.arguments`.
    ///
    /// - Throws: `BuiltinToolError` -32602 that names the argument which is unknown or not a boolean.
    init(json: ByteBuffer?) throws(BuiltinToolError) {
        guard let json else { return }
        let values: [String: Value]
        do {
            values = try JSONDecoder().decode([String: Value].self, from: Data(json.readableBytesView))
        } catch {
            throw .invalidParams("arguments must be a JSON object with the booleans \(Self.names.joined(separator: ", "))")
        }
        // In a fixed order, so that the same call always gets the same message.
        for (name, value) in values.sorted(by: { $0.key < $1.key }) {
            guard Self.names.contains(name) else {
                throw .invalidParams("unknown argument \"\(Self.printable(name))\"; known are \(Self.names.joined(separator: ", "))")
            }
            guard let flag = value.boolean else {
                throw .invalidParams("argument \"\(name)\" must be true or false")
            }
            switch name {
            case "checkDatabase": checkDatabase = flag
            case "checkDocker": checkDocker = flag
            default: checkGit = flag
            }
        }
    }

    /// A name from outside goes back to its sender, but not at any length.
    private static func printable(_ name: String) -> String {
        name.count <= 64 ? name : name.prefix(64) + "…"
    }

    /// Any JSON value, of which only booleans matter.
    private struct Value: Decodable {
        let boolean: Bool?

        init(from decoder: any Decoder) throws {
            boolean = try? decoder.singleValueContainer().decode(Bool.self)
        }
    }
}
