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

    @Test mutating func `so many come at least as the lower limit leaves, without one any number`() {
        #expect(limits.credit(after: 1000) == .max)
        limits.set(7, global: true)
        #expect(limits.credit(after: 0) == 7 && limits.credit(after: 5) == 2 && limits.credit(after: 9) == 0)
        limits.set(5, global: false)
        #expect(limits.credit(after: 1) == 4)
    }
}
