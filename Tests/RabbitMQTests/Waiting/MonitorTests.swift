import Foundation
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("a lock under which one can sleep", .timeLimit(.minutes(1)))
struct MonitorTests {
    /// `@unchecked Sendable` is safe because all that changes is reached under the lock only.
    private final class Shared: @unchecked Sendable {
        let monitor = Monitor()
        private var sleepers = 0
        private var isOver = false

        /// Sleeps until it is over.
        func wait() {
            monitor.enter()
            defer { monitor.leave() }
            sleepers += 1
            while !isOver { monitor.sleep(until: nil) }
            sleepers -= 1
        }

        var sleeperCount: Int {
            monitor.enter()
            defer { monitor.leave() }
            return sleepers
        }

        func end() {
            monitor.enter()
            isOver = true
            monitor.leave()
        }
    }

    @Test func `who sleeps leaves the lock to others, and wakes when somebody says so, one each time`() async throws {
        let shared = Shared()
        for _ in 0..<2 { Thread.detachNewThread { shared.wait() } }
        try await eventually("both sleep") { shared.sleeperCount == 2 }
        shared.end()
        for left in [1, 0] {
            shared.monitor.signal()
            try await eventually("one has woken") { shared.sleeperCount <= left }
        }
    }

    @Test func `who sleeps until a time wakes then by itself, on the library's clock`() {
        let monitor = Monitor()
        monitor.enter()
        defer { monitor.leave() }
        let start = ContinuousClock.now
        let end = MonotonicTime.now + 30_000_000
        while MonotonicTime.now < end { monitor.sleep(until: end) }
        #expect(ContinuousClock.now - start >= .milliseconds(29))
        // One that is over is not slept for.
        monitor.sleep(until: end)
    }
}
