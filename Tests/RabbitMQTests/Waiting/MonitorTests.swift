import Foundation
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("a lock under which one can sleep", .timeLimit(.minutes(1)))
struct MonitorTests {
    private struct Shared {
        var sleepers = 0
        var isOver = false
    }

    @Test func `who sleeps leaves the lock to others, and wakes when somebody says so, one each time`() async throws {
        let monitor = Monitor(Shared())
        for _ in 0..<2 {
            Thread.detachNewThread {
                monitor.withLock { $0.sleepers += 1 }
                monitor.wait { shared in shared.isOver ? .done(()) : .sleep(until: nil) }
                monitor.withLock { $0.sleepers -= 1 }
            }
        }
        try await eventually("both sleep") { monitor.withLock { $0.sleepers } == 2 }
        monitor.withLock { $0.isOver = true }
        for left in [1, 0] {
            try await eventually("one has woken") {
                monitor.signal()
                return monitor.withLock { $0.sleepers } <= left
            }
        }
    }

    @Test func `who sleeps until a time wakes then by itself, on the library's clock`() {
        let monitor = Monitor(0)
        let start = ContinuousClock.now
        let end = MonotonicTime.now + 30_000_000
        let looks = monitor.wait { looks -> Monitor<Int>.Step<Int> in
            looks += 1
            return MonotonicTime.now < end ? .sleep(until: end) : .done(looks)
        }
        #expect(ContinuousClock.now - start >= .milliseconds(29))
        #expect(looks >= 2)
        // One that is over is not slept for.
        monitor.wait { looks in
            looks += 1
            return looks > 10 ? .done(()) : .sleep(until: end)
        }
    }
}
