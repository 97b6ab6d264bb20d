import TestSupport
import Testing

@testable import RabbitMQ

@Suite("when heartbeats are due")
struct HeartbeatScheduleTests {
    private let schedule = HeartbeatSchedule(seconds: 10)
    private let second: UInt64 = 1_000_000_000

    @Test func `silence is two intervals`() {
        #expect(!schedule.isSilent(now: 100 * second, lastReceived: 80 * second + 1))
        #expect(schedule.isSilent(now: 100 * second, lastReceived: 80 * second))
        #expect(!schedule.isSilent(now: 100 * second, lastReceived: 101 * second))
    }

    @Test func `the next look is when something is due`() {
        // Something was sent 2 s ago: in 3 s.
        #expect(schedule.nextLook(now: 100 * second, lastSent: 98 * second, lastReceived: nil) == 103 * second)
        // A heartbeat was due, and is sent now.
        #expect(schedule.nextLook(now: 100 * second, lastSent: 95 * second, lastReceived: nil) == 105 * second)
        // Silence comes first.
        let silent = schedule.nextLook(now: 100 * second, lastSent: 99 * second, lastReceived: 81 * second)
        #expect(silent == 101 * second)
    }

    @Test func `whenever else something is sent, no pause is longer than half an interval`() {
        var random = SplitMix(seed: 10)
        var now: UInt64 = 1000 * second
        var lastSent = now
        var look = now + schedule.halfInterval
        var longest: UInt64 = 0
        for _ in 0..<2000 {
            let other = now + UInt64.random(in: 0...12 * second, using: &random)
            while look <= other {
                now = look
                let next = schedule.nextLook(now: now, lastSent: lastSent, lastReceived: now)
                if schedule.isDue(now: now, lastSent: lastSent) {
                    longest = max(longest, now - lastSent)
                    lastSent = now
                }
                #expect(next > now)
                look = next
            }
            now = other
            longest = max(longest, now - lastSent)
            lastSent = now
        }
        #expect(longest <= schedule.halfInterval)
    }
}
