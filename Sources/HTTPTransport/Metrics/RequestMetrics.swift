import Metrics
package import NIOHTTP1

/// `http_requests_total` and `http_request_duration_seconds` of one event loop. Confined to the loop: finding a handler takes no lock, and
/// recording is an atomic addition.
package final class RequestMetrics {
    private struct Series {
        let counter: Counter
        let timer: Timer
    }

    private var series: [UInt32: Series] = [:]
    private var timers: [UInt16: Timer] = [:]
    /// Most requests are like the one before.
    private var newest: (key: UInt32, series: Series)?

    package init() {}

    /// - Parameter nanoseconds: from the header's arrival to the end of the answer; of a stream to its beginning.
    package func record(_ method: HTTPMethod, _ route: HTTPRoute, status: Int, nanoseconds: Int64) {
        let (name, number) = Self.label(of: method)
        let key = UInt32(route.number) << 16 | UInt32(number) << 12 | UInt32(truncatingIfNeeded: status) & 0xFFF
        let series: Series
        if let newest, newest.key == key {
            series = newest.series
        } else {
            series = self.series[key] ?? make(key, method: name, number: number, route: route, status: status)
            newest = (key, series)
        }
        series.counter.increment()
        series.timer.recordNanoseconds(nanoseconds)
    }

    private func make(_ key: UInt32, method: String, number: UInt8, route: HTTPRoute, status: Int) -> Series {
        let dimensions = [("method", method), ("route", route.label)]
        let timerKey = UInt16(route.number) << 4 | UInt16(number)
        let timer = timers[timerKey] ?? Timer(label: "http_request_duration_seconds", dimensions: dimensions)
        timers[timerKey] = timer
        let made = Series(
            counter: Counter(label: "http_requests_total", dimensions: dimensions + [("status", String(status))]), timer: timer)
        series[key] = made
        return made
    }

    /// The value of the label `method`; a method that a client invented is "other".
    private static func label(of method: HTTPMethod) -> (String, UInt8) {
        switch method {
        case .POST: ("POST", 0)
        case .GET: ("GET", 1)
        case .DELETE: ("DELETE", 2)
        case .OPTIONS: ("OPTIONS", 3)
        case .HEAD: ("HEAD", 4)
        case .PUT: ("PUT", 5)
        case .PATCH: ("PATCH", 6)
        default: ("other", 7)
        }
    }
}
