import Configuration

/// A checked value of one key, whatever source it came from.
enum ConfigurationValue: Sendable, Equatable {
    case text(String)
    case integer(Int)
    case flag(Bool)
    case duration(Duration)
    case list([String])
    case map([String: String])

    /// As swift-configuration holds it. Durations travel as nanoseconds; maps never do, because no gateway key is one.
    var content: ConfigContent? {
        switch self {
        case .text(let text): .string(text)
        case .integer(let number): .int(number)
        case .flag(let flag): .bool(flag)
        case .duration(let duration): .int(Int(duration.wholeNanoseconds))
        case .list(let list): .stringArray(list)
        case .map: nil
        }
    }

    /// As it is written in a file.
    var text: String {
        switch self {
        case .text(let text): text
        case .integer(let number): String(number)
        case .flag(let flag): String(flag)
        case .duration(let duration): DurationText.format(duration)
        case .list(let list): list.isEmpty ? "none" : list.joined(separator: ",")
        case .map(let map): map.isEmpty ? "none" : map.keys.sorted().joined(separator: ",")
        }
    }
}
