import Metrics
import Testing

@testable import Telemetry

@Suite("Exposition of metrics")
struct ExpositionTests {
    /// One of each kind, made and recorded in an order that is not that of the exposition.
    private func sample() -> MetricsRegistry {
        let registry = MetricsRegistry.quiet([
            .init("mcp_queue_bytes", .gauge, "Bytes that wait."),
            .init("http_requests_total", .counter, "HTTP requests answered.", labels: ["status", "method"]),
            .init("http_request_duration_seconds", .histogram, "Time of a request.", labels: ["route"], buckets: [0.5, 1, 2.5]),
            .init("mcp_unused_total", .counter, "Never recorded."),
        ])
        let timer = Metrics.Timer(label: "http_request_duration_seconds", dimensions: [("route", "/mcp")], factory: registry)
        for milliseconds in [250, 1000, 1001, 60_000] { timer.recordMilliseconds(milliseconds) }
        Gauge(label: "mcp_queue_bytes", factory: registry).record(1536)
        Counter(label: "http_requests_total", dimensions: [("method", "POST"), ("status", "200")], factory: registry).increment(by: 3)
        Counter(label: "http_requests_total", dimensions: [("status", "404"), ("method", "GET")], factory: registry).increment()
        FloatingPointCounter(label: "process_cpu_seconds_total", factory: registry).increment(by: 0.25)
        return registry
    }

    @Test("the text format is as Prometheus documents it, families by name and series by labels")
    func text() {
        #expect(
            sample().text() == """
                # HELP http_request_duration_seconds Time of a request.
                # TYPE http_request_duration_seconds histogram
                http_request_duration_seconds_bucket{route="/mcp",le="0.5"} 1
                http_request_duration_seconds_bucket{route="/mcp",le="1"} 2
                http_request_duration_seconds_bucket{route="/mcp",le="2.5"} 3
                http_request_duration_seconds_bucket{route="/mcp",le="+Inf"} 4
                http_request_duration_seconds_sum{route="/mcp"} 62.251
                http_request_duration_seconds_count{route="/mcp"} 4
                # HELP http_requests_total HTTP requests answered.
                # TYPE http_requests_total counter
                http_requests_total{method="GET",status="404"} 1
                http_requests_total{method="POST",status="200"} 3
                # HELP mcp_queue_bytes Bytes that wait.
                # TYPE mcp_queue_bytes gauge
                mcp_queue_bytes 1536
                # HELP process_cpu_seconds_total Recorded by a part of the program that does not describe it.
                # TYPE process_cpu_seconds_total counter
                process_cpu_seconds_total 0.25

                """)
    }

    @Test("OpenMetrics has families without _total, units, bounds with a fraction, and an end")
    func openMetrics() {
        #expect(
            sample().text(.openMetrics) == """
                # HELP http_request_duration_seconds Time of a request.
                # TYPE http_request_duration_seconds histogram
                # UNIT http_request_duration_seconds seconds
                http_request_duration_seconds_bucket{route="/mcp",le="0.5"} 1
                http_request_duration_seconds_bucket{route="/mcp",le="1.0"} 2
                http_request_duration_seconds_bucket{route="/mcp",le="2.5"} 3
                http_request_duration_seconds_bucket{route="/mcp",le="+Inf"} 4
                http_request_duration_seconds_sum{route="/mcp"} 62.251
                http_request_duration_seconds_count{route="/mcp"} 4
                # HELP http_requests HTTP requests answered.
                # TYPE http_requests counter
                http_requests_total{method="GET",status="404"} 1
                http_requests_total{method="POST",status="200"} 3
                # HELP mcp_queue_bytes Bytes that wait.
                # TYPE mcp_queue_bytes gauge
                # UNIT mcp_queue_bytes bytes
                mcp_queue_bytes 1536
                # HELP process_cpu_seconds Recorded by a part of the program that does not describe it.
                # TYPE process_cpu_seconds counter
                # UNIT process_cpu_seconds seconds
                process_cpu_seconds_total 0.25
                # EOF

                """)
    }

    @Test("a registry without metrics exposes its own alone")
    func empty() {
        let text = String(decoding: MetricsRegistry.quiet().render(.openMetrics), as: UTF8.self)
        #expect(
            text == """
                # HELP mcp_metrics_series_dropped Series that were not recorded because there were too many, each time they were made.
                # TYPE mcp_metrics_series_dropped counter
                mcp_metrics_series_dropped_total 0
                # EOF

                """)
    }

    @Test("help and label values are escaped by the rules of the format")
    func escaping() {
        let registry = MetricsRegistry.quiet([.init("up", .gauge, "a \\ \"b\"\nc", labels: ["name"])])
        Gauge(label: "up", dimensions: [("name", "C:\\ \"x\"\n🦊\u{1}")], factory: registry).record(1)
        #expect(registry.text(.text).contains("# HELP up a \\\\ \"b\"\\nc\n"))
        #expect(registry.text(.openMetrics).contains("# HELP up a \\\\ \\\"b\\\"\\nc\n"))
        for format in ExpositionFormat.allCases {
            #expect(registry.lines(format) == ["up{name=\"C:\\\\ \\\"x\\\"\\n🦊\u{1}\"} 1"])
        }
    }

    @Test(
        "numbers are written as Prometheus reads them, whole ones without exponent",
        arguments: [
            (0, "0"), (-0.0, "0"), (-3, "-3"), (1e15, "1000000000000000"), (9_007_199_254_740_993, "9007199254740992"), (0.1, "0.1"),
            (1.5e300, "1.5e+300"), (5e-324, "5e-324"), (.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"),
            (1_795_468_603.25, "1795468603.25"),
        ] as [(Double, String)])
    func numbers(value: Double, text: String) {
        #expect(ExpositionWriter.text(of: value) == text)
        let registry = MetricsRegistry.quiet()
        Gauge(label: "x", factory: registry).record(value)
        #expect(registry.lines() == ["x \(text)"])
    }

    @Test("whole numbers are exact beyond what a floating-point number holds")
    func exact() {
        let registry = MetricsRegistry.quiet()
        Counter(label: "x", factory: registry).increment(by: Int64.max - 1)
        registry.onCollect {
            $0.gauge("y", UInt64.max)
            $0.counter("z", -1)
        }
        #expect(registry.lines() == ["x_total 9223372036854775806", "y 9223372036854775807", "z_total -1"])
    }

    @Test("names become valid: other characters are underscores, digits do not come first, two underscores are not the beginning")
    func names() {
        let registry = MetricsRegistry.quiet()
        Counter(label: "hb.requests-é", dimensions: [("http.method", "GET"), ("__name__", "x"), ("1st", "y")], factory: registry)
            .increment()
        Gauge(label: "1st:x", factory: registry).record(2)
        Gauge(label: "", dimensions: [("", "z")], factory: registry).record(3)
        #expect(
            registry.lines() == [#"_{_="z"} 3"#, "_1st_x 2", #"hb_requests____total{_1st="y",_name__="x",http_method="GET"} 1"#])
    }
}
