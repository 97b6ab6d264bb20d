import Testing

@testable import RabbitMQ

@Suite("how long something lasts that begins and ends again and again")
struct StopwatchTests {
    @Test func `is the sum of all its times, with the one that lasts`() {
        let watch = Stopwatch()
        #expect(watch.elapsed(at: 100) == .zero)
        watch.start(at: 100)
        #expect(watch.since == 100)
        #expect(watch.elapsed(at: 130) == .nanoseconds(30))
        watch.stop(at: 150)
        #expect(watch.since == nil)
        watch.start(at: 1000)
        watch.stop(at: 1007)
        #expect(watch.elapsed(at: 5000) == .nanoseconds(57))
    }

    @Test func `counts from the first beginning to the first end`() {
        let watch = Stopwatch()
        watch.stop(at: 5)
        watch.start(at: 10)
        watch.start(at: 20)
        watch.stop(at: 30)
        watch.stop(at: 90)
        #expect(watch.elapsed(at: 100) == .nanoseconds(20))
    }

    @Test func `is never less than nothing, for two threads may have read the clock the other way round`() {
        let watch = Stopwatch()
        watch.start(at: 50)
        #expect(watch.elapsed(at: 40) == .zero)
        watch.stop(at: 40)
        #expect(watch.elapsed(at: 60) == .zero)
    }
}
