import Metrics
import Testing

@testable import Telemetry

@Suite("Registry of metrics")
struct MetricsRegistryTests {
    private let log = LogOutput()

    private func doesNothing(_ handler: AnyObject) -> Bool { handler === NOOPMetricsHandler.instance }

    @Test("equal names and labels give the same handler, in whatever order the labels come")
    func same() {
        let registry = MetricsRegistry.quiet(log: log)
        let first = registry.makeCounter(label: "x", dimensions: [("a", "1"), ("b", "2")])
        #expect(first === registry.makeCounter(label: "x_total", dimensions: [("b", "2"), ("a", "1")]))
        #expect(first === registry.makeFloatingPointCounter(label: "x", dimensions: [("a", "1"), ("b", "2")]))
        #expect(first !== registry.makeCounter(label: "x", dimensions: [("a", "2"), ("b", "1")]))
        let gauge = registry.makeRecorder(label: "g", dimensions: [], aggregate: false)
        #expect(gauge === registry.makeMeter(label: "g", dimensions: []))
        let timer = registry.makeTimer(label: "t", dimensions: [])
        #expect(timer === registry.makeTimer(label: "t_seconds", dimensions: []))
        #expect(log.lines.isEmpty)
    }

    @Test("a name of another kind, a line of another metric's name and other labels give a handler that does nothing, logged once")
    func mismatches() {
        let registry = MetricsRegistry.quiet(
            [.init("described_total", .counter, "Described.", labels: ["a"]), .init("rather_seconds", .histogram, "Described.")], log: log)
        Counter(label: "x", dimensions: [("a", "1")], factory: registry).increment()
        Recorder(label: "h", factory: registry).record(1)
        let before = registry.text()
        let refused: [(label: String, make: () -> AnyObject)] = [
            ("x", { registry.makeMeter(label: "x", dimensions: [("a", "1")]) }),
            ("x_total", { registry.makeCounter(label: "x_total", dimensions: []) }),
            ("x", { registry.makeCounter(label: "x", dimensions: [("a", "1"), ("b", "1")]) }),
            ("x_total", { registry.makeMeter(label: "x_total", dimensions: []) }),
            ("h_count", { registry.makeMeter(label: "h_count", dimensions: []) }),
            ("h_sum", { registry.makeRecorder(label: "h_sum", dimensions: [], aggregate: true) }),
            ("h", { registry.makeRecorder(label: "h", dimensions: [], aggregate: false) }),
            ("described", { registry.makeCounter(label: "described", dimensions: []) }),
            ("described_total", { registry.makeCounter(label: "described_total", dimensions: [("b", "1")]) }),
            ("rather_seconds", { registry.makeMeter(label: "rather_seconds", dimensions: []) }),
            ("twice", { registry.makeCounter(label: "twice", dimensions: [("a", "1"), ("a", "2")]) }),
            ("twice", { registry.makeCounter(label: "twice", dimensions: [("a.b", "1"), ("a-b", "2")]) }),
            ("le", { registry.makeTimer(label: "le", dimensions: [("le", "1")]) }),
            ("le", { registry.makeMeter(label: "mcp_metrics_series_dropped_total", dimensions: []) }),
        ]
        for (label, make) in refused {
            #expect(doesNothing(make()), "\(label)")
            #expect(doesNothing(make()), "\(label)")
        }
        #expect(registry.text() == before)
        #expect(Set(log.lines).count == log.lines.count)
        #expect(log.lines.count == 11)
        #expect(log.lines.allSatisfy { $0.contains(#""level":"warning""#) && $0.contains(#""message":"a metric is not recorded""#) })
        #expect(log.lines.contains { $0.contains(#""metric":"x","reason":"it is a counter already; use another name""#) })
    }

    @Test("a timer and a recorder of one series are not mixed up, although both are histograms")
    func timerAndRecorder() {
        let registry = MetricsRegistry.quiet(log: log)
        _ = registry.makeTimer(label: "x", dimensions: [])
        #expect(doesNothing(registry.makeRecorder(label: "x_seconds", dimensions: [], aggregate: true)))
    }

    @Test("a second description of a name is ignored, logged, and harmless")
    func describedTwice() {
        let registry = MetricsRegistry.quiet(
            [
                .init("x_total", .counter, "First."), .init("x_total", .counter, "Second."), .init("x", .gauge, "Third."),
                .init("y", .gauge, "Twice.", labels: ["a", "a"]), .init("h", .histogram, "Odd.", buckets: [.nan, 2, 1, .infinity, 1]),
            ], log: log)
        Counter(label: "x", factory: registry).increment()
        Recorder(label: "h", factory: registry).record(1)
        #expect(registry.text().contains("# HELP x_total First.\n"))
        #expect(registry.lines().prefix(3) == [#"h_bucket{le="1"} 1"#, #"h_bucket{le="2"} 1"#, #"h_bucket{le="+Inf"} 1"#])
        #expect(log.lines.count == 3)
    }

    @Test("a destroyed series is gone, and its name is free unless it is described")
    func destroy() {
        let registry = MetricsRegistry.quiet([.init("described", .gauge, "x")], log: log)
        let counter = Counter(label: "a", factory: registry)
        let fractions = FloatingPointCounter(label: "b", factory: registry)
        let meter = Meter(label: "c", factory: registry)
        let recorder = Recorder(label: "d", factory: registry)
        let timer = Metrics.Timer(label: "e", factory: registry)
        let described = Gauge(label: "described", factory: registry)
        #expect(!registry.lines().isEmpty)
        counter.destroy()
        fractions.destroy()
        meter.destroy()
        recorder.destroy()
        timer.destroy()
        described.destroy()
        #expect(registry.lines().isEmpty)
        // Nobody minds a second time, a handler that does nothing, or recording still.
        counter.destroy()
        registry.destroyMeter(NOOPMetricsHandler.instance)
        counter.increment()
        Gauge(label: "a", dimensions: [("x", "y")], factory: registry).record(7)
        #expect(registry.lines() == [#"a{x="y"} 7"#])
        #expect(doesNothing(registry.makeCounter(label: "described", dimensions: [])))
    }

    @Test("a series stays until all who made it have destroyed it: the new user of a name may come before the old one leaves")
    func destroyShared() {
        let registry = MetricsRegistry.quiet(log: log)
        let old = Gauge(label: "mcp_upstream_up", dimensions: [("upstream", "git")], factory: registry)
        let new = Gauge(label: "mcp_upstream_up", dimensions: [("upstream", "git")], factory: registry)
        old.destroy()
        new.record(1)
        #expect(registry.lines() == [#"mcp_upstream_up{upstream="git"} 1"#])
        new.destroy()
        #expect(registry.lines().isEmpty)
        // One that was destroyed does not remove the one that came after it.
        let third = Gauge(label: "mcp_upstream_up", dimensions: [("upstream", "git")], factory: registry)
        new.destroy()
        third.record(2)
        #expect(registry.lines() == [#"mcp_upstream_up{upstream="git"} 2"#])
    }

    @Test("beyond the bound series are not recorded but counted, and those that went make room")
    func bound() {
        let registry = MetricsRegistry.quiet(maxSeries: 3, log: log)
        let counters = (0..<5).map { registry.makeCounter(label: "x", dimensions: [("n", "\($0)")]) }
        #expect(counters.map { doesNothing($0) } == [false, false, false, true, true])
        #expect(registry.droppedSeriesLine == "mcp_metrics_series_dropped_total 2")
        registry.destroyCounter(counters[0])
        #expect(!doesNothing(registry.makeCounter(label: "x", dimensions: [("n", "9")])))
        registry.onCollect { $0.gauge("y", 1) }
        #expect(registry.lines() == [#"x_total{n="1"} 0"#, #"x_total{n="2"} 0"#, #"x_total{n="9"} 0"#])
        // Twice collected: for the line above and for this one.
        #expect(registry.droppedSeriesLine == "mcp_metrics_series_dropped_total 4")
        #expect(log.lines.count == 2)
    }

    @Test("figures are collected anew at each scrape, beside those that are recorded")
    func collected() {
        let registry = MetricsRegistry.quiet([.init("queue", .gauge, "Length.", labels: ["name"])], log: log)
        let length = Gauge(label: "elsewhere", factory: registry)
        let calls = CounterInstrument(key: SeriesKey(family: "calls", values: []))
        registry.onCollect { collection in
            calls.increment(by: Int64(1))
            guard case .number(.integer(let number)) = calls.figures else { return }
            collection.gauge("queue", [("name", "b")], number)
            collection.counter("served_total", 2.5)
            // A collector may record, and may make metrics; what it makes is in the next scrape.
            length.record(number)
            Counter(label: "late", factory: registry).increment()
        }
        Gauge(label: "queue", dimensions: [("name", "a")], factory: registry).record(7)
        #expect(registry.lines() == ["elsewhere 1", #"queue{name="a"} 7"#, #"queue{name="b"} 1"#, "served_total 2.5"])
        #expect(registry.lines() == ["elsewhere 2", "late_total 2", #"queue{name="a"} 7"#, #"queue{name="b"} 2"#, "served_total 2.5"])
        #expect(registry.text().contains("# HELP queue Length.\n"))
        #expect(log.lines.isEmpty)
    }

    @Test("a collected figure that has no place, or one that is taken, is left out and logged once")
    func collectedMismatch() {
        let registry = MetricsRegistry.quiet(log: log)
        Gauge(label: "x", factory: registry).record(1)
        registry.onCollect {
            $0.gauge("x", 2)
            $0.counter("x_total", 3)
            $0.gauge("y", [("a", "1")], 4)
            $0.gauge("y", [("a", "1")], 5)
            $0.gauge("y", [("b", "1")], 6)
        }
        for _ in 0..<3 { #expect(registry.lines() == ["x 1", #"y{a="1"} 4"#]) }
        #expect(log.lines.count == 3)
    }
}
