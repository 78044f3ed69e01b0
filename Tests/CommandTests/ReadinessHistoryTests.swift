import HTTPTransport
import Testing

@testable import mcp_gateway

@Suite("When a gateway becomes ready")
struct ReadinessHistoryTests {
    @Test("it is told once, with everything that was missing, and again when it was not ready meanwhile")
    func arrivals() {
        var history = ReadinessHistory()
        func observe(_ reasons: String...) -> ReadinessHistory.Arrival? { history.observe(ReadinessReport(reasons: reasons)) }
        #expect(observe("a", "b") == nil)
        #expect(observe("b", "c") == nil)
        #expect(observe() == .init(isReturn: false, missing: ["a", "b", "c"]))
        #expect(observe() == nil)
        #expect(observe("d") == nil)
        #expect(observe() == .init(isReturn: true, missing: ["d"]))
    }

    @Test("nothing may be missing from the beginning, and reasons whose text changes all the time are bounded")
    func bounds() {
        var history = ReadinessHistory()
        #expect(history.observe(ReadinessReport(reasons: [])) == .init(isReturn: false, missing: []))
        for number in 0..<1000 { _ = history.observe(ReadinessReport(reasons: ["\(number)"])) }
        #expect(history.observe(ReadinessReport(reasons: []))?.missing.count == 16)
    }
}
