import Foundation

/// One input of the target that `FUZZ_TARGET` names. libFuzzer calls it again and again.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    target(UnsafeRawBufferPointer(start: start, count: count))
    return 0
}

typealias Target = @Sendable (UnsafeRawBufferPointer) -> Void

private let targets: KeyValuePairs<String, Target> = [
    "configuration": ConfigurationTarget.run,
    "envelope": EnvelopeTarget.run,
    "event-id": EventIDTarget.run,
    "json": JSONTarget.run,
    "parameter-header": ParameterHeaderTarget.run,
    "resp": RESPTarget.run,
    "sse": SSETarget.run,
]

private let target: Target = {
    let name = ProcessInfo.processInfo.environment["FUZZ_TARGET"] ?? ""
    if let found = targets.first(where: { $0.key == name }) { return found.value }
    complain("FUZZ_TARGET must be one of \(targets.map(\.key).joined(separator: ", ")), not \"\(name)\"")
    exit(64)
}()
