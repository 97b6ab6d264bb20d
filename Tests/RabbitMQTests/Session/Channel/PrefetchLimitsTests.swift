import Testing

@testable import RabbitMQ

@Suite("prefetch limits")
struct PrefetchLimitsTests {
    private var limits = PrefetchLimits()

    @Test mutating func `a limit for each lifts the one for all`() {
        limits.set(7, global: true)
        #expect((limits.each, limits.shared) == (0, 7) && !limits.isSharedLifted)
        limits.set(5, global: false)
        #expect((limits.each, limits.shared) == (5, 0) && !limits.isSharedLifted)
        limits.set(0, global: true)
        #expect((limits.each, limits.shared) == (5, 0) && limits.isSharedLifted)
    }
}
