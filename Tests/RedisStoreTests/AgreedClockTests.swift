import GatewayCore
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import RedisStore

@Suite("The time that instances agree on")
struct AgreedClockTests {
    @Test("is Redis's, however far the own clock is off, and does not follow noise")
    func follows() {
        let own = NIOLockedValueBox(WallTime(milliseconds: 1_000_000))
        let agreed = AgreedClock(own: GatewayClock { own.withLockedValue { $0 } })
        #expect(agreed.clock.now().milliseconds == 1_000_000)
        agreed.heard(1_000_060, roundTrip: .milliseconds(20))
        #expect(agreed.clock.now().milliseconds == 1_000_000)
        agreed.heard(4_600_000, roundTrip: .milliseconds(20))
        #expect(agreed.clock.now().milliseconds == 4_600_010)
        own.withLockedValue { $0 = WallTime(milliseconds: 2_000_000) }
        #expect(agreed.clock.now().milliseconds == 5_600_010)
        // The own clock was set.
        agreed.heard(4_601_000, roundTrip: .zero)
        #expect(agreed.clock.now().milliseconds == 4_601_000)
    }
}
