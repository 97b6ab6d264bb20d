import Testing

@testable import RabbitMQ

@Suite("Renewing a secret that ends")
struct RenewalScheduleTests {
    @Test("begins when four fifths of its time are over")
    func first() {
        #expect(RenewalSchedule(validity: .seconds(100)).firstDelay == .seconds(80))
        #expect(RenewalSchedule(validity: .seconds(3600)).firstDelay == .seconds(2880))
    }

    @Test("is far away for a secret that hardly ends", arguments: [1, 8])
    func endless(factor: Int) {
        var schedule = RenewalSchedule(validity: .seconds(Int64.max) * factor)
        #expect(schedule.firstDelay > .seconds(50 * 365 * 86_400))
        #expect(schedule.delayAfterFailure(left: schedule.validity) == .seconds(30))
    }

    @Test(
        "is no storm, even if what is given has ended already",
        arguments: [Duration.zero, .seconds(-5), .milliseconds(1)]
    )
    func noStorm(validity: Duration) {
        var schedule = RenewalSchedule(validity: validity)
        #expect(schedule.firstDelay >= .milliseconds(100))
        for _ in 0..<100 { #expect(schedule.delayAfterFailure(left: .zero) >= .milliseconds(50)) }
    }

    @Test("is tried several times before the end")
    func retries() {
        var schedule = RenewalSchedule(validity: .seconds(100))
        var left = schedule.validity - schedule.firstDelay
        var tries = 0
        while left > .zero {
            left -= schedule.delayAfterFailure(left: left)
            tries += 1
        }
        #expect(tries >= 5)
        #expect(tries <= 20)
    }

    @Test("goes on after the end, ever more slowly")
    func afterTheEnd() {
        var schedule = RenewalSchedule(validity: .seconds(100))
        let delays = (0..<8).map { _ in schedule.delayAfterFailure(left: .zero) }
        #expect(delays == [1, 2, 4, 8, 16, 30, 30, 30].map(Duration.seconds))
    }
}
