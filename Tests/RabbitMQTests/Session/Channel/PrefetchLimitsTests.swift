import Testing

@testable import RabbitMQ

@Suite("prefetch limits")
struct PrefetchLimitsTests {
    private var limits = PrefetchLimits()

    @Test mutating func `acknowledgements wait while the broker may deliver more than they are`() {
        #expect(limits.leavesRoom(beside: 100_000))
        limits.set(1000, global: false)
        #expect(limits.mostUnwritten == 125)
        #expect(limits.leavesRoom(beside: 875) && !limits.leavesRoom(beside: 876))
        limits.set(10, global: false)
        #expect(limits.leavesRoom(beside: 5) && !limits.leavesRoom(beside: 6))
        limits.set(1, global: true)
        #expect(!limits.leavesRoom(beside: 1))
    }

    @Test mutating func `a consumer keeps the limit that it began with, whatever is set later`() {
        limits.set(2, global: false)
        limits.consumerBegan()
        for count in [1000, 0] as [UInt16] {
            limits.set(count, global: false)
            limits.consumerBegan()
            #expect(!limits.leavesRoom(beside: 1) && limits.credit(after: 1) == 1)
        }
        limits.consumersAreGone()
        #expect(limits.leavesRoom(beside: 100_000) && limits.credit(after: 1) == .max)
    }

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
