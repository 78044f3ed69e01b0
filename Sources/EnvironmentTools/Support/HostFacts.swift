import FoundationEssentials

/// What is cheap to know about the machine that the gateway runs on.
struct HostFacts: Encodable, Sendable {
    var operatingSystem: String
    var cpus: Int
    var memoryTotalBytes: UInt64
    /// What the kernel thinks can be had without swapping (`MemAvailable`); nil where it does not say.
    var memoryAvailableBytes: UInt64?

    static func current() -> Self {
        let process = ProcessInfo.processInfo
        let memory = (try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8)) ?? ""
        return Self(
            operatingSystem: process.operatingSystemVersionString,
            cpus: process.activeProcessorCount,
            memoryTotalBytes: process.physicalMemory,
            memoryAvailableBytes: bytes(of: "MemAvailable", inMemoryInfo: memory))
    }

    /// Reads a line such as `MemAvailable:    1234 kB`.
    static func bytes(of key: String, inMemoryInfo text: String) -> UInt64? {
        for line in text.split(separator: "\n") where line.hasPrefix(key + ":") {
            let fields = line.dropFirst(key.count + 1).split(separator: " ")
            guard let kibibytes = fields.first.flatMap({ UInt64($0) }) else { return nil }
            let (bytes, overflow) = kibibytes.multipliedReportingOverflow(by: 1024)
            return overflow ? nil : bytes
        }
        return nil
    }
}
