import Testing

@testable import Telemetry

@Suite("Choice of the exposition format")
struct ExpositionFormatTests {
    @Test(
        "OpenMetrics is chosen when it is wanted more than text",
        arguments: [
            // What Prometheus 2 and 3 send.
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,"
                + "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            "application/openmetrics-text", "Application/OpenMetrics-Text ; Version=\"1.0.0\" ; Q=0.1", "application/*",
            "application/openmetrics-text, */*", "text/*;q=0.5, application/openmetrics-text;q=0.6",
            "*/*, text/plain;q=0.1", "application/openmetrics-text;q=1, text/plain;q=0",
        ])
    func openMetrics(accept: String) {
        #expect(ExpositionFormat(accept: accept) == .openMetrics)
    }

    @Test(
        "text is chosen otherwise: when it is wanted, when nothing decides, and when neither is allowed",
        arguments: [
            nil, "", "*/*", "text/plain", "text/plain;version=0.0.4", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "application/openmetrics-text, text/plain", "application/openmetrics-text;version=1.0.0;q=0.5, text/plain;version=0.0.4",
            "application/openmetrics-text;q=0", "application/openmetrics-text;q=0, */*", "application/openmetrics-text;version=2.0.0",
            "application/openmetrics-text;q=nan", "application/openmetrics-text;q=2", "application/openmetrics-text;q=",
            "application/json", "application", "/", "////", ",,;;q=1,", "application/openmetrics-text/x", "*/openmetrics-text",
            "*/*, application/openmetrics-text;q=0.1", "\u{0}\u{ff}", String(repeating: ",;", count: 10_000),
        ] as [String?])
    func text(accept: String?) {
        #expect(ExpositionFormat(accept: accept) == .text)
    }

    @Test("the content types name version and character set")
    func contentTypes() {
        #expect(ExpositionFormat.text.contentType == "text/plain; version=0.0.4; charset=utf-8")
        #expect(ExpositionFormat.openMetrics.contentType == "application/openmetrics-text; version=1.0.0; charset=utf-8")
    }
}
