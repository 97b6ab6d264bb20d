import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("deadlines", .timeLimit(.minutes(1)))
struct DeadlinesTests {
    @Test func `the timer is set for the earliest, and once more when one is earlier`() {
        var deadlines = Deadlines()
        #expect(deadlines.add(at: 100) {}.arm == 100)
        #expect(deadlines.add(at: 200) {}.arm == nil)
        let early = deadlines.add(at: 50) {}
        #expect(early.arm == 50)
        deadlines.remove(early.id)
        let (due, arm) = deadlines.takeDue(now: 50, setFor: 50)
        #expect(due.isEmpty)
        #expect(arm == nil)
        let all = deadlines.takeDue(now: 300, setFor: 100)
        #expect(all.due.map(\.time) == [100, 200])
        #expect(all.arm == nil)
        #expect(deadlines.isEmpty)
    }

    @Test func `a timer that is set for later is not set again, however many earlier ones fire`() {
        var deadlines = Deadlines()
        #expect(deadlines.add(at: 30_000) {}.arm == 30_000)
        for now in stride(from: UInt64(0), to: 29_000, by: 100) {
            let short = deadlines.add(at: now + 50) {}
            #expect(short.arm == now + 50)
            if now % 200 == 0 { deadlines.remove(short.id) }
            #expect(deadlines.takeDue(now: now + 50, setFor: now + 50).arm == nil)
        }
        #expect(deadlines.add(at: 31_000) {}.arm == nil)
        let last = deadlines.takeDue(now: 30_000, setFor: 30_000)
        #expect(last.due.map(\.time) == [30_000])
        #expect(last.arm == 31_000)
    }

    @Test func `a timer that fires too early is set again`() {
        var deadlines = Deadlines()
        #expect(deadlines.add(at: 100) {}.arm == 100)
        let early = deadlines.takeDue(now: 99, setFor: 100)
        #expect(early.due.isEmpty)
        #expect(early.arm == 100)
    }

    @Test func `timers do not multiply`() {
        var deadlines = Deadlines()
        var timers: [UInt64] = []
        var now: UInt64 = 0
        // Always a long deadline, and again and again a short one that is removed.
        for _ in 0..<500 {
            if let arm = deadlines.add(at: now + 30_000, expire: {}).arm { timers.append(arm) }
            let short = deadlines.add(at: now + 50) {}
            if let arm = short.arm { timers.append(arm) }
            deadlines.remove(short.id)
            now += 100
            for time in timers.filter({ $0 <= now }) {
                if let arm = deadlines.takeDue(now: now, setFor: time).arm { timers.append(arm) }
            }
            timers.removeAll { $0 <= now }
        }
        // One for the first long deadline of each kind is enough; a few may be stale.
        #expect(timers.count < 20, "\(timers.count) timers are set")
    }

    @Test func `at random, everything that is due expires, in time`() {
        var random = SplitMix(seed: 4)
        var deadlines = Deadlines()
        var timers: Set<UInt64> = []
        var open: [UInt64: UInt64] = [:]
        var now: UInt64 = 1
        for _ in 0..<5000 {
            switch Int.random(in: 0..<3, using: &random) {
            case 0:
                let time = now + UInt64.random(in: 0..<300, using: &random)
                let (id, arm) = deadlines.add(at: time) {}
                open[id] = time
                if let arm { timers.insert(arm) }
            case 1:
                guard let id = open.keys.sorted().randomElement(using: &random) else { continue }
                deadlines.remove(id)
                open[id] = nil
            default:
                now += UInt64.random(in: 0..<50, using: &random)
                while let timer = timers.filter({ $0 <= now }).min() {
                    timers.remove(timer)
                    let (due, arm) = deadlines.takeDue(now: now, setFor: timer)
                    #expect(due.allSatisfy { $0.time <= now })
                    #expect(due.map(\.time) == due.map(\.time).sorted())
                    if let arm { timers.insert(arm) }
                }
                open = open.filter { $0.value > now }
                #expect(open.isEmpty || timers.contains { $0 <= open.values.min() ?? 0 })
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
