import GatewayCore
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import RedisStore

@Suite("The time that instances agree on")
struct AgreedClockTests {
    @Test("is Redis's, however far the own clock is off or set, and does not follow noise")
    func follows() {
        let uptime = NIOLockedValueBox<Int64>(5000)
        let agreed = AgreedClock(own: GatewayClock { WallTime(milliseconds: 1_000_000) }, monotonic: { uptime.withLockedValue { $0 } })
        #expect(agreed.clock.now().milliseconds == 1_000_000)
        agreed.heard(1_000_060, roundTrip: .milliseconds(20))
        #expect(agreed.clock.now().milliseconds == 1_000_000)
        agreed.heard(4_600_000, roundTrip: .milliseconds(20))
        #expect(agreed.clock.now().milliseconds == 4_600_010)
        uptime.withLockedValue { $0 += 1000 }
        #expect(agreed.clock.now().milliseconds == 4_601_010)
        // Another server, whose clock is behind, is the master now.
        agreed.heard(4_500_000, roundTrip: .zero)
        #expect(agreed.clock.now().milliseconds == 4_500_000)
    }
}
