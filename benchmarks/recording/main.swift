// mcp-bench-recording: what the metrics of one `tools/call` cost, alone. Calls what the gateway calls, as often, on as many threads.
//
//     mcp-bench-recording [on|off] [threads] [calls of each thread]
//
// Prints nanoseconds of processor time for each call as JSON. "off" records into nothing, as with `metrics.enabled: false`.

import Foundation
import GatewayCore
import HTTPTransport
import MCPProtocol
import Metrics
import NIOCore
import NIOHTTP1
import Synchronization
import Telemetry

#if canImport(Glibc)
    import Glibc
#endif

let arguments = CommandLine.arguments.dropFirst()
let isOn = arguments.first != "off"
let threads = arguments.dropFirst().first.flatMap { Int($0) } ?? 1
let calls = arguments.dropFirst(2).first.flatMap { Int($0) } ?? 5_000_000
let registry = MetricsRegistry(descriptions: MetricDescription.gateway)
if isOn { MetricsSystem.bootstrap(registry) }
let counters = RequestCounters(upstream: "echo")
let upstream = UpstreamMetrics(upstream: "echo")

func processorTime() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// Of one event loop.
func record(_ calls: Int) -> UInt64 {
    let requests = RequestMetrics()
    let begin = processorTime()
    for _ in 0..<calls {
        let startedAt = NIODeadline.now()
        upstream.callBegan()
        let sentAt = NIODeadline.now()
        upstream.responded(afterNanoseconds: (NIODeadline.now() - sentAt).nanoseconds)
        upstream.callEnded()
        counters.count(.toolsCall, .ok)
        // Times of another bucket than 0 would take as long.
        requests.record(.POST, .mcp(.all), status: 200, nanoseconds: (NIODeadline.now() - startedAt).nanoseconds)
    }
    return processorTime() - begin
}

let warmUp = 100_000
_ = record(warmUp)
let total = Atomic<UInt64>(0)
let group = DispatchGroup()
for _ in 0..<threads {
    group.enter()
    Thread.detachNewThread {
        total.wrappingAdd(record(calls), ordering: .relaxed)
        group.leave()
    }
}
group.wait()
// What was not recorded would cost nothing.
let shown = String(decoding: registry.render(ExpositionFormat(accept: nil)), as: UTF8.self).split(separator: "\n")
let expected = isOn ? warmUp + threads * calls : 0
for name in ["http_requests_total", "http_request_duration_seconds_count", "mcp_requests_total", "mcp_upstream_duration_seconds_count"] {
    let recorded = shown.filter { $0.hasPrefix(name + "{") }.compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }.reduce(0, +)
    guard recorded == expected else {
        FileHandle.standardError.write(Data("\(name) is \(recorded), not \(expected)\n".utf8))
        exit(1)
    }
}
let each = Double(total.load(ordering: .relaxed)) / Double(threads * calls)
print("{\"metrics\":\(isOn),\"threads\":\(threads),\"calls\":\(threads * calls),\"ns_each\":\((each * 10).rounded() / 10)}")
