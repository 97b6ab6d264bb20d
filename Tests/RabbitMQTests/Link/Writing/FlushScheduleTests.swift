import Testing

@testable import RabbitMQ

@Suite("when to flush")
struct FlushScheduleTests {
    /// A schedule that an expectation may change.
    private final class Subject {
        private var schedule: FlushSchedule

        init(lowWater: Int = 1 << 20) { schedule = FlushSchedule(lowWater: lowWater) }

        func wakes(pending: Int, isUrgent: Bool = false) -> Bool {
            schedule.request(pending: pending, isUrgent: isUrgent)
        }

        func next(pending: Int, wrote count: Int) -> FlushSchedule.Next {
            schedule.next(pending: pending, wrote: count)
        }

        func mayWriteDirectly(pending: Int) -> Bool { schedule.mayWriteDirectly(pending: pending) }

        func writeDirectly() { schedule.writeDirectly() }

        func noteReceived() { schedule.noteReceived() }
    }

    /// After a large flush, behind which nothing waits.
    private func cooling(lowWater: Int = 1 << 20) -> Subject {
        let schedule = Subject(lowWater: lowWater)
        #expect(schedule.wakes(pending: 100))
        #expect(schedule.next(pending: 20_000, wrote: 0) == .flush)
        #expect(schedule.next(pending: 0, wrote: 20_000) == .cool)
        return schedule
    }

    @Test func `the first bytes wake the queue, those behind them don't`() {
        let schedule = Subject()
        #expect(schedule.wakes(pending: 100))
        #expect(!schedule.wakes(pending: 200))
        #expect(!schedule.wakes(pending: 300, isUrgent: true))
        #expect(schedule.next(pending: 300, wrote: 0) == .flush)
        #expect(schedule.next(pending: 0, wrote: 300) == .rest)
        #expect(schedule.wakes(pending: 100))
    }

    @Test func `after a large flush little waits for the timer, which brings it`() {
        let schedule = cooling()
        #expect(!schedule.wakes(pending: 100))
        #expect(schedule.next(pending: 100, wrote: 0) == .flush)
        #expect(schedule.next(pending: 0, wrote: 100) == .rest)
    }

    @Test func `what somebody waits for the answer to waits for no timer`() {
        let schedule = cooling()
        #expect(schedule.wakes(pending: 100, isUrgent: true))
        // Nor what is appended during a large flush.
        #expect(schedule.next(pending: 30_000, wrote: 0) == .flush)
        #expect(!schedule.wakes(pending: 100, isUrgent: true))
        #expect(schedule.next(pending: 100, wrote: 30_000) == .flush)
    }

    @Test(arguments: [(1 << 20, 512 * 1024), (200_000, 200_000), (1000, 16 * 1024)])
    func `a batch waits for no timer, nor do publishers who are held back`(lowWater: Int, batch: Int) {
        let schedule = cooling(lowWater: lowWater)
        #expect(!schedule.wakes(pending: batch - 1))
        #expect(schedule.wakes(pending: batch))
        #expect(schedule.next(pending: batch, wrote: 0) == .flush)
        #expect(schedule.next(pending: batch, wrote: batch) == .flush)
        #expect(schedule.next(pending: batch - 1, wrote: batch) == .cool)
    }

    @Test func `whoever appends may write once for each time that something was received, if little waits`() {
        let schedule = Subject()
        // Asking alone changes nothing.
        for _ in 1...2 { #expect(schedule.mayWriteDirectly(pending: 100)) }
        schedule.writeDirectly()
        #expect(!schedule.mayWriteDirectly(pending: 100))
        schedule.noteReceived()
        #expect(!schedule.mayWriteDirectly(pending: 20_000))
        #expect(schedule.mayWriteDirectly(pending: 100))
        #expect(schedule.wakes(pending: 100))
        #expect(!schedule.mayWriteDirectly(pending: 100))
    }
}
