import TestSupport
import Testing

@testable import RabbitMQ

@Suite("when a lost connection is tried again")
struct RecoveryScheduleTests {
    private func schedule(_ change: (inout RecoveryPolicy) -> Void = { _ in }) -> RecoverySchedule {
        var policy = RecoveryPolicy()
        policy.firstDelay = .milliseconds(20)
        policy.backOff = .milliseconds(500)
        change(&policy)
        return RecoverySchedule(policy)
    }

    /// The longest delays, one after the other.
    private func longest(_ count: Int, _ schedule: inout RecoverySchedule) -> [Duration] {
        (0..<count).map { _ in schedule.next(1) }
    }

    @Test func `the first try comes at once, the others after twice as long each time, up to the longest`() {
        var schedule = schedule()
        let delays = longest(10, &schedule)
        #expect(delays == [.milliseconds(20)] + [0.5, 1, 2, 4, 8, 16, 30, 30, 30].map { .seconds($0) })
        var halves = self.schedule()
        #expect((0..<3).map { _ in halves.next(0.5) } == [.milliseconds(10), .milliseconds(250), .milliseconds(500)])
        var least = self.schedule()
        #expect((0..<9).allSatisfy { _ in least.next(0) == .zero })
        // A thousandth try, and numbers that are out of range.
        var late = self.schedule()
        #expect(longest(1000, &late).last == .seconds(30))
        #expect(late.next(7) == .seconds(30) && late.next(-1) == .zero)
    }

    @Test func `a delay is cut short once, until a session has proven itself`() {
        var schedule = schedule()
        _ = longest(5, &schedule)
        #expect(!schedule.wasCutShort)
        schedule.cutShort()
        // Let in and thrown out again.
        schedule.ended(after: .seconds(4))
        #expect(schedule.wasCutShort)
        schedule.ended(after: .seconds(5))
        #expect(!schedule.wasCutShort)
    }

    @Test func `only a session that has lived longer than the last delay has them begin anew`() {
        var schedule = schedule()
        _ = longest(5, &schedule)
        #expect(schedule.lastDelay == .seconds(4))
        schedule.ended(after: .seconds(4))
        #expect(schedule.next(1) == .seconds(8))
        schedule.ended(after: .seconds(9))
        #expect(schedule.next(1) == .milliseconds(20))
        // A random delay of nothing is no reason: it is no less than the first of the long ones.
        _ = schedule.next(0)
        schedule.ended(after: .milliseconds(400))
        #expect(schedule.next(1) == .seconds(1))
    }

    @Test func `what begins with the second try has no first`() {
        var schedule = schedule()
        schedule.skipFirst()
        schedule.skipFirst()
        #expect(longest(2, &schedule) == [.milliseconds(500), .seconds(1)])
    }

    @Test func `while somebody waits the longest delay is shorter, but no shorter than the first of the long ones`() {
        var schedule = schedule()
        let delays = (0..<7).map { _ in schedule.next(1, atMost: .seconds(5)) }
        #expect(delays == [.milliseconds(20)] + [0.5, 1, 2, 4, 5, 5].map { .seconds($0) })
        // Once nobody waits, they are as long as they would have been.
        #expect(schedule.next(1) == .seconds(30))
        #expect(schedule.next(1, atMost: .milliseconds(1)) == .milliseconds(500))
        #expect(schedule.next(1, atMost: .seconds(100)) == .seconds(30))
        schedule.ended(after: .seconds(100))
        #expect(schedule.next(1, atMost: .zero) == .milliseconds(20))
    }

    @Test func `absurd delays are no harm`() {
        var schedule = schedule {
            $0.firstDelay = .zero
            $0.backOff = .seconds(Int64.max)
            $0.maxDelay = .seconds(Int64.max)
        }
        #expect(schedule.next(1) == .zero)
        #expect(longest(100, &schedule).allSatisfy { $0 > .seconds(3600) })
    }

    /// The times of the tries of connections that lose their broker together.
    private func simulate(_ count: Int, seconds: Double) -> [[Double]] {
        var random = SplitMix(seed: 14)
        return (0..<count).map { _ in
            var schedule = RecoverySchedule(RecoveryPolicy())
            var (time, times) = (0.0, [Double]())
            while true {
                let delay = schedule.next(Double.random(in: 0...1, using: &random))
                time += Double(delay.nanoseconds) / 1e9
                guard time < seconds else { return times }
                times.append(time)
            }
        }
    }

    @Test func `500 connections try seldom, and not in step`() {
        let times = simulate(500, seconds: 300)
        #expect(times.allSatisfy { ($0.first ?? 1) <= 0.1 })
        let all = times.flatMap { $0 }
        func rate(_ range: Range<Double>) -> Double {
            Double(all.filter(range.contains).count) / 500 / (range.upperBound - range.lowerBound)
        }
        #expect(rate(0..<10) <= 1.2)
        #expect(rate(10..<60) < 0.1)
        #expect(rate(60..<300) < 0.1)
        // After the first tries, no tenth of a second has more of them than there are, and soon far fewer.
        var counts: [Int: Int] = [:]
        for time in all where time > 0.02 { counts[Int(time * 10), default: 0] += 1 }
        #expect(counts.filter { $0.key >= 1 }.values.allSatisfy { $0 <= 400 })
        #expect(counts.filter { $0.key >= 10 }.values.allSatisfy { $0 <= 110 })
        #expect(counts.filter { $0.key >= 100 }.values.allSatisfy { $0 <= 30 })
    }

    @Test(arguments: [(500, 1), (1000, 2), (2500, 4), (15_999, 16)])
    func `a session that has lived for a while has them go on with twice its life at the most`(
        lived: Int,
        seconds: Int
    ) {
        var schedule = schedule()
        _ = longest(7, &schedule)
        schedule.ended(after: .milliseconds(lived))
        #expect(schedule.next(1) == .seconds(seconds))
        #expect(schedule.next(1) == min(.seconds(30), .seconds(2 * seconds)))
    }
}
