import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("deadlines", .timeLimit(.minutes(1)))
struct DeadlinesTests {
    @Test func `whoever waits is told of one that is earlier than all others`() {
        var deadlines = Deadlines()
        let first = deadlines.add(at: 100) {}
        #expect(first.isEarliest)
        #expect(!deadlines.add(at: 200) {}.isEarliest)
        #expect(!deadlines.add(at: 100) {}.isEarliest)
        let early = deadlines.add(at: 50) {}
        #expect(early.isEarliest)
        #expect(deadlines.remove(early.id) != nil)
        #expect(deadlines.remove(early.id) == nil)
        // Nothing is due, and the place of what was removed is not waited for any more.
        #expect(deadlines.takeDue(now: 60).next == 100)
        let all = deadlines.takeDue(now: 300)
        #expect(all.due.map(\.time) == [100, 100, 200])
        #expect(all.next == nil)
        #expect(deadlines.isEmpty)
    }

    @Test func `those that are removed leave no places behind`() {
        var deadlines = Deadlines()
        _ = deadlines.add(at: 1_000_000) {}
        for now in 0..<10_000 as Range<UInt64> { _ = deadlines.remove(deadlines.add(at: now + 30_000) {}.id) }
        #expect(deadlines.placeCount < 100)
        #expect(deadlines.takeDue(now: 900_000).next == 1_000_000)
    }

    @Test func `no number comes twice, so that who removes what is gone removes nobody else's`() {
        var deadlines = Deadlines()
        var ids: [UInt64] = []
        for time in 0..<100 as Range<UInt64> {
            ids.append(deadlines.add(at: time) {}.id)
            ids.append(deadlines.add(at: time) {}.id)
            #expect(deadlines.remove(ids[ids.count - 2])?.time == time)
            #expect(deadlines.takeDue(now: time).due.count == 1)
        }
        #expect(Set(ids).count == 200)
        let last = deadlines.add(at: 1000) {}.id
        for id in ids { #expect(deadlines.remove(id) == nil) }
        #expect(!deadlines.isEmpty)
        #expect(deadlines.takeDue(now: 999).next == 1000)
        #expect(deadlines.remove(last)?.time == 1000)
    }

    @Test func `at random, everything that is due expires, in order and in time`() {
        var random = SplitMix(seed: 4)
        var deadlines = Deadlines()
        var open: [UInt64: UInt64] = [:]
        var now: UInt64 = 1
        for _ in 0..<20_000 {
            switch Int.random(in: 0..<4, using: &random) {
            case 0, 1:
                let time = now + UInt64.random(in: 0..<300, using: &random)
                let earliest = open.values.min()
                let (id, isEarliest) = deadlines.add(at: time) {}
                // Those that were removed may stand before it: then it is waited for too short a time, never too long.
                if isEarliest { #expect(time <= earliest ?? .max) }
                open[id] = time
            case 2:
                guard let id = open.keys.sorted().randomElement(using: &random) else { continue }
                #expect(deadlines.remove(id)?.time == open[id])
                open[id] = nil
            default:
                now += UInt64.random(in: 0..<50, using: &random)
                let (due, next) = deadlines.takeDue(now: now)
                #expect(due.map(\.time) == open.values.filter { $0 <= now }.sorted())
                open = open.filter { $0.value > now }
                #expect(next ?? .max <= open.values.min() ?? .max)
            }
        }
    }

    @Test func `the shared timer calls, in order, and not what was removed`() async throws {
        let called = Mutex<[Int]>([])
        let timer = DeadlineTimer()
        for number in [3, 1, 2] {
            _ = timer.add(after: .milliseconds(50 * number)) { called.withLock { $0.append(number) } }
        }
        let removed = timer.add(after: .milliseconds(20)) { called.withLock { $0.append(0) } }
        timer.remove(removed)
        try await eventually("all are called") { called.withLock { $0.count } == 3 }
        #expect(called.withLock { $0 } == [1, 2, 3])
    }

    @Test func `deadlines in a row all come, one that nobody expected before them, and one after a pause`() async throws
    {
        let timer = DeadlineTimer()
        let called = Atomic<Int>(0)
        @Sendable func next() {
            guard called.add(1, ordering: .relaxed).newValue < 200 else { return }
            _ = timer.add(at: MonotonicTime.now + 200_000, period: 200_000, expire: next)
        }
        next()
        let other = OneShot<Int>()
        _ = timer.add(after: .microseconds(50)) { other.succeed(called.load(ordering: .relaxed)) }
        #expect(try await within(.seconds(10), "the other") { try await other.value() } < 200)
        try await eventually("all are called") { called.load(ordering: .relaxed) == 200 }
        try await within(.seconds(10), "one after a pause") { try await timer.sleep(for: .milliseconds(5)) }
    }

    @Test func `a task sleeps until its time, or until it is cancelled`() async throws {
        let start = MonotonicTime.now
        try await DeadlineTimer.shared.sleep(for: .milliseconds(20))
        #expect(MonotonicTime.now - start >= 20_000_000)
        let sleeping = Task { try await DeadlineTimer.shared.sleep(for: .seconds(Int64.max)) }
        sleeping.cancel()
        let result = try await within(.seconds(10), "the end") { await sleeping.result }
        #expect(throws: CancellationError.self) { try result.get() }
    }

    @Test func `what a removed one holds may use the timer as it goes`() async throws {
        final class Holder: Sendable {
            let id = DeadlineTimer.shared.add(after: .seconds(60)) {}
            deinit { DeadlineTimer.shared.remove(id) }
        }
        func add() -> UInt64 {
            let holder = Holder()
            return DeadlineTimer.shared.add(after: .seconds(60)) { withExtendedLifetime(holder) {} }
        }
        let id = add()
        try await within(.seconds(10), "the removal") { DeadlineTimer.shared.remove(id) }
    }

    @Test func `what is left of a time that several waits share`() {
        #expect(Duration.seconds(5).left(since: nil) == .seconds(5))
        let left = Duration.seconds(50).left(since: MonotonicTime.now)
        #expect(left > .seconds(40) && left <= .seconds(50))
        #expect(Duration.seconds(1).left(since: MonotonicTime.now - 1_000_000_001) == .zero)
    }

    @Test func `durations in nanoseconds never overflow`() {
        #expect(Duration.seconds(-1).nanoseconds == 0)
        #expect(Duration.zero.nanoseconds == 0)
        #expect(Duration.nanoseconds(5).nanoseconds == 5)
        #expect(Duration.milliseconds(1500).nanoseconds == 1_500_000_000)
        // More seconds than `components` holds.
        #expect((Duration.seconds(Int64.min) * 8).nanoseconds == 0)
        #expect((Duration.seconds(Int64.max) * 8).nanoseconds == Duration.seconds(Int64.max).nanoseconds)
        let most = Duration.seconds(Int64.max).nanoseconds
        #expect(most == 3_155_760_000_000_000_000)
        #expect(MonotonicTime.now.addingReportingOverflow(most).overflow == false)
    }
}
