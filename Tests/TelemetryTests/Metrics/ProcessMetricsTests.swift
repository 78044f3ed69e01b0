import Foundation
import Testing

@testable import Telemetry

@Suite("Process metrics")
struct ProcessMetricsTests {
    private func figures(_ process: ProcessMetrics) -> [String: Double] {
        let collection = MetricsCollection()
        process.collect(collection)
        let pairs = collection.figures.map { figure in
            switch figure.number {
            case .integer(let value): (figure.name, Double(value))
            case .floating(let value): (figure.name, value)
            }
        }
        return Dictionary(uniqueKeysWithValues: pairs)
    }

    #if os(Linux)
        @Test("the figures are this process's")
        func plausible() throws {
            let process = ProcessMetrics()
            let figures = figures(process)
            #expect(Set(figures.keys) == Set(ProcessMetrics.descriptions.map(\.name)))
            let now = Date().timeIntervalSince1970
            let start = try #require(figures["process_start_time_seconds"])
            #expect(start <= now + 1 && start > now - 24 * 3600)
            let resident = try #require(figures["process_resident_memory_bytes"])
            let virtual = try #require(figures["process_virtual_memory_bytes"])
            #expect(resident > 1e6 && resident < virtual && virtual < 1e15)
            #expect(try #require(figures["process_threads"]) >= 1)
            let open = try #require(figures["process_open_fds"])
            #expect(open >= 1 && open <= figures["process_max_fds"] ?? 0)
            #expect(try #require(figures["process_cpu_seconds_total"]) > 0)
        }

        @Test("descriptors that are opened are counted, the one that counts is not")
        func descriptors() throws {
            let process = ProcessMetrics()
            // Many, since other tests open and close some at the same time.
            let handles = try (0..<200).map { _ in try #require(FileHandle(forReadingAtPath: "/dev/null")) }
            let with = try #require(figures(process)["process_open_fds"])
            for handle in handles { try handle.close() }
            let without = try #require(figures(process)["process_open_fds"])
            #expect(abs(with - without - 200) < 50)
        }

        @Test("a name with spaces and parentheses does not shift the fields of /proc/self/stat")
        func name() throws {
            let text = "12 (a ) (b) R 1 2 3 4 5 6 7 8 9 10 700 800 13 14 15 16 4 18 12345 409600 25 20\n"
            let status = try #require(ProcessStatus(text, pageSize: 4096))
            #expect(status.threads == 4)
            #expect(status.startTicks == 12345)
            #expect(status.virtualBytes == 409_600)
            #expect(status.residentBytes == 25 * 4096)
        }

        @Test("a file that is cut off or no such file at all gives no figures", arguments: ["", ")", "12 (a) R 1 2 3", "12 a R 1 2"])
        func broken(text: String) {
            #expect(ProcessStatus(text, pageSize: 4096) == nil)
        }
    #endif
}
