import Testing

@testable import RabbitMQ

@Suite("when to flush, and who does it")
struct FlushScheduleTests {
    /// A schedule that an expectation may change, and a clock.
    private final class Subject {
        private var schedule: FlushSchedule
        var now: UInt64 = 1_000_000
        var published = 0
        private(set) var looks = 0

        init(lowWater: Int = 1 << 20) { schedule = FlushSchedule(lowWater: lowWater) }

        private func look() -> UInt64 {
            looks += 1
            return now
        }

        func request(pending: Int, isUrgent: Bool = false, after pause: UInt64 = 0) -> FlushSchedule.Flusher {
            now += pause
            return schedule.request(pending: pending, isUrgent: isUrgent, now: look)
        }

        func next(pending: Int, wrote count: Int, most: Int = .max) -> FlushSchedule.Next {
            schedule.next(pending: pending, wrote: count, most: most, published: published, now: now)
        }

        var pause: UInt64 { schedule.pause }

        func noteReceived() { schedule.noteReceived() }

        func settle() { schedule.settle(now: look) }

        func hurrySettlements() -> FlushSchedule.Flusher { schedule.hurrySettlements() }

        func due(after time: UInt64) -> FlushSchedule.Due { schedule.due(after: time, now: now) }

        /// Has what was asked for written.
        func flush(_ count: Int = 100, cools: Bool = false) {
            #expect(next(pending: count, wrote: 0) == .flush)
            #expect(next(pending: 0, wrote: count) == (cools ? .cool : .rest))
        }

        /// The timer comes, and finds nothing.
        func rest() { #expect(next(pending: 0, wrote: 0) == .rest) }
    }

    private static let pause = FlushSchedule.aloneAfter

    /// After a large flush, behind which nothing waits.
    private func cooling(lowWater: Int = 1 << 20) -> Subject {
        let schedule = Subject(lowWater: lowWater)
        #expect(schedule.request(pending: 100) == .caller)
        schedule.flush(20_000, cools: true)
        return schedule
    }

    @Test func `what comes after a pause is flushed by whoever appends it, what comes close behind by the queue`() {
        let schedule = Subject()
        #expect(schedule.request(pending: 100) == .caller)
        #expect(schedule.request(pending: 200) == .nobody)
        #expect(schedule.request(pending: 300, isUrgent: true) == .nobody)
        schedule.flush(300)
        #expect(schedule.request(pending: 100, after: Self.pause - 1) == .queue)
        schedule.flush(cools: true)
        schedule.rest()
        #expect(schedule.request(pending: 100, after: Self.pause) == .caller)
        schedule.flush()
        // As often as it comes.
        for _ in 1...3 {
            #expect(schedule.request(pending: 100, after: Self.pause) == .caller)
            schedule.flush()
        }
        #expect(schedule.request(pending: 20_000, after: Self.pause) == .queue)
    }

    @Test func `an urgent answer to what was received waits for no pause, once`() {
        let schedule = Subject()
        #expect(schedule.request(pending: 100) == .caller)
        schedule.flush()
        #expect(schedule.request(pending: 100, isUrgent: true) == .queue)
        schedule.flush()
        schedule.noteReceived()
        #expect(schedule.request(pending: 100) == .queue)
        schedule.flush(cools: true)
        schedule.rest()
        #expect(schedule.request(pending: 100, isUrgent: true) == .caller)
        schedule.flush()
        #expect(schedule.request(pending: 100, isUrgent: true) == .queue)
    }

    @Test func `who appends while a flush is on its way doesn't look at the clock`() {
        let schedule = cooling()
        let before = schedule.looks
        for pending in 1...1000 { #expect(schedule.request(pending: pending) == .nobody) }
        #expect(schedule.looks == before)
    }

    @Test func `after a large flush little waits for the timer, which brings it`() {
        let schedule = cooling()
        #expect(schedule.request(pending: 100, after: Self.pause) == .nobody)
        schedule.flush(cools: true)
        schedule.rest()
    }

    @Test func `while messages flow the timer brings each flush, until it finds nothing`() {
        let schedule = Subject()
        #expect(schedule.request(pending: 100) == .caller)
        schedule.flush()
        #expect(schedule.request(pending: 100) == .queue)
        // What is appended during a flush waits for the next, too.
        #expect(schedule.next(pending: 100, wrote: 0) == .flush)
        #expect(schedule.next(pending: 50, wrote: 100) == .cool)
        for _ in 1...3 {
            #expect(schedule.request(pending: 100) == .nobody)
            schedule.flush(cools: true)
        }
        schedule.rest()
        #expect(schedule.request(pending: 100, after: Self.pause) == .caller)
    }

    @Test func `the timer comes less often while a loop does nothing but publish, and in time again behind it`() {
        let schedule = cooling()
        var pauses: [UInt64] = []
        for _ in 1...20 {
            schedule.now += schedule.pause
            schedule.published += Int(schedule.pause / 200)
            schedule.flush(20_000, cools: true)
            pauses.append(schedule.pause)
        }
        #expect(pauses.first == FlushSchedule.coolingTime && pauses.last == FlushSchedule.longCoolingTime)
        #expect(pauses == pauses.sorted())
        schedule.now += schedule.pause
        schedule.published += 10
        schedule.flush(1000, cools: true)
        #expect(schedule.pause == FlushSchedule.coolingTime)
    }

    /// Has one message after the other written by who publishes it, `pause` after the last.
    private func publishAlone(_ schedule: Subject, _ count: Int, after pause: UInt64) {
        for _ in 0..<count {
            schedule.published += 1
            #expect(schedule.request(pending: 100, after: pause) == .caller)
            schedule.flush()
        }
    }

    @Test func `what comes near the last flush again and again waits for more, as long as enough comes`() {
        let schedule = Subject()
        publishAlone(schedule, FlushSchedule.mostNear + 1, after: FlushSchedule.nearAfter - 1)
        schedule.published += 1
        #expect(schedule.request(pending: 100, after: FlushSchedule.nearAfter - 1) == .queue)
        schedule.flush(cools: true)
        for _ in 1...20 {
            schedule.published += FlushSchedule.leastGathered
            #expect(schedule.request(pending: 100) == .nobody)
            schedule.flush(300, cools: true)
        }
        // It comes more slowly.
        for _ in 0..<FlushSchedule.mostPoor {
            schedule.published += 1
            schedule.flush(cools: true)
        }
        schedule.published += 1
        schedule.flush()
        publishAlone(schedule, FlushSchedule.mostNear, after: FlushSchedule.nearAfter - 1)
    }

    @Test func `where answers come, what is published is written at once, however near it comes`() {
        let schedule = Subject()
        for _ in 1...50 {
            schedule.noteReceived()
            publishAlone(schedule, 1, after: FlushSchedule.nearAfter - 1)
        }
    }

    @Test func `a flush of acknowledgements alone does not keep on what gathers too little`() {
        let schedule = Subject()
        publishAlone(schedule, FlushSchedule.mostNear + 1, after: FlushSchedule.nearAfter - 1)
        schedule.published += 1
        #expect(schedule.request(pending: 100, after: FlushSchedule.nearAfter - 1) == .queue)
        schedule.flush(cools: true)
        for _ in 1..<FlushSchedule.mostPoor {
            schedule.published += 1
            schedule.flush(cools: true)
            schedule.flush(cools: true)
        }
        schedule.published += 1
        schedule.flush()
    }

    @Test func `what comes later than near is written by who publishes it, however long it goes on`() {
        let schedule = Subject()
        publishAlone(schedule, 100, after: FlushSchedule.nearAfter)
        // A pause begins anew.
        publishAlone(schedule, FlushSchedule.mostNear, after: FlushSchedule.nearAfter - 1)
        publishAlone(schedule, 1, after: FlushSchedule.nearAfter)
        publishAlone(schedule, FlushSchedule.mostNear, after: FlushSchedule.nearAfter - 1)
    }

    @Test func `what somebody waits for the answer to waits for no timer`() {
        let schedule = cooling()
        #expect(schedule.request(pending: 100, isUrgent: true) == .queue)
        // Nor what is appended during a large flush.
        #expect(schedule.next(pending: 30_000, wrote: 0) == .flush)
        #expect(schedule.request(pending: 100, isUrgent: true) == .nobody)
        #expect(schedule.next(pending: 100, wrote: 30_000) == .flush)
    }

    @Test(arguments: [(1 << 20, 512 * 1024), (200_000, 200_000), (1000, 16 * 1024)])
    func `a batch waits for no timer, nor do publishers who are held back`(lowWater: Int, batch: Int) {
        let schedule = cooling(lowWater: lowWater)
        #expect(schedule.request(pending: batch - 1) == .nobody)
        #expect(schedule.request(pending: batch) == .queue)
        #expect(schedule.next(pending: batch, wrote: 0) == .flush)
        #expect(schedule.next(pending: batch, wrote: batch) == .flush)
        #expect(schedule.next(pending: batch - 1, wrote: batch) == .cool)
    }

    @Test func `whoever has done enough leaves the rest, which stays urgent, to the queue`() {
        let schedule = Subject()
        #expect(schedule.request(pending: 100) == .caller)
        #expect(schedule.next(pending: 100, wrote: 0) == .flush)
        #expect(schedule.request(pending: 50, isUrgent: true) == .nobody)
        #expect(schedule.next(pending: 50, wrote: 20_000, most: 49) == .leave)
        #expect(schedule.request(pending: 60) == .nobody)
        #expect(schedule.next(pending: 60, wrote: 20_000) == .flush)
        #expect(schedule.next(pending: 0, wrote: 60, most: 0) == .cool)
    }

    @Test func `acknowledgements wait for more, for whatever else is sent, or until somebody is in a hurry`() {
        let schedule = Subject()
        schedule.settle()
        let looks = schedule.looks
        for _ in 1...100 { schedule.settle() }
        #expect(schedule.looks == looks)
        #expect(schedule.request(pending: 100, after: Self.pause) == .caller)
        // They go with it.
        schedule.settle()
        #expect(schedule.hurrySettlements() == .nobody)
        schedule.flush()
        #expect(schedule.hurrySettlements() == .nobody)
        schedule.settle()
        #expect(schedule.hurrySettlements() == .caller)
        #expect(schedule.hurrySettlements() == .nobody)
        schedule.flush()
    }

    @Test func `acknowledgements wait no longer than they may`() {
        let schedule = Subject()
        guard case .never = schedule.due(after: 1000) else { return #expect(Bool(false), "nothing waits") }
        schedule.settle()
        let start = schedule.now
        schedule.now += 400
        schedule.settle()
        guard case .later(let time) = schedule.due(after: 1000) else { return #expect(Bool(false), "it is too early") }
        #expect(time == start + 1000)
        schedule.now = time
        guard case .flush = schedule.due(after: 1000) else { return #expect(Bool(false), "they are due") }
        guard case .never = schedule.due(after: 1000) else { return #expect(Bool(false), "the flush is on its way") }
        schedule.flush()
        guard case .never = schedule.due(after: 1000) else { return #expect(Bool(false), "nothing waits any more") }
    }
}
