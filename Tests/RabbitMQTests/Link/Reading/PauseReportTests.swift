import Testing

@testable import RabbitMQ

@Suite("the report of a pause")
struct PauseReportTests {
    private var pause = PauseReport()

    @Test mutating func `one that is over soon is never told of`() {
        pause.wait(for: 7)
        #expect(pause.isOpen && pause.isUnsaid)
        #expect(pause.forget() == .timer(7))
        #expect(!pause.isOpen)
        #expect(pause.forget() == .nothing)
        #expect(pause.timeIsUp(hasDrained: false, isPaused: true) == .nothing)
    }

    @Test mutating func `one that goes on is told of once, and so is its end`() {
        pause.wait(for: 7)
        #expect(pause.timeIsUp(hasDrained: false, isPaused: true) == .say)
        #expect(pause.isOpen && !pause.isUnsaid)
        #expect(pause.forget() == .said)
    }

    @Test mutating func `while reading goes on for somebody who waits, it is put off`() {
        pause.wait(for: 7)
        #expect(pause.timeIsUp(hasDrained: false, isPaused: false) == .wait)
        pause.wait(for: 8)
        #expect(pause.timeIsUp(hasDrained: true, isPaused: false) == .forget)
        #expect(pause.forget() == .timer(8))
    }
}
