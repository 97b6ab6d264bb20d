import Testing

@testable import RabbitMQ

@Suite("what a link does about reading")
struct ReadStateTests {
    private var reading = ReadState()

    @Test mutating func `what can be read is read once, and not asked for meanwhile`() {
        #expect(reading.wanted == .readable)
        #expect(reading.ready(.readable) == true)
        #expect(reading.wanted == [])
        #expect(reading.takeWork() == .read)
        #expect(reading.wanted == .readable)
        #expect(reading.ready(.writable) == false)
        #expect(reading.wanted == .readable)
    }

    @Test mutating func `the queue's next turn takes the place of asking`() {
        reading.schedule()
        #expect(reading.wanted == [])
        #expect(!reading.isQuiet(after: 0))
        #expect(reading.takeWork() == .read)
        #expect(reading.isQuiet(after: ReadingThread.little))
        #expect(!reading.isQuiet(after: ReadingThread.little + 1))
    }

    @Test mutating func `while it is paused nothing is read, only what was received is handled`() {
        #expect(reading.pause(if: true) == .paused)
        #expect(reading.pause(if: true) == .none)
        #expect(reading.wanted == .hungUp)
        #expect(!reading.isQuiet(after: 0))
        #expect(reading.takeWork() == .nothing)
        reading.holdsFrames = true
        #expect(reading.takeWork() == .handle)
        #expect(reading.pause(if: false) == .resumed)
        #expect(reading.takeWork() == .read)
    }

    @Test mutating func `of a peer that hung up during a pause all is read, however much waits`() {
        _ = reading.pause(if: true)
        #expect(reading.ready(.hungUp) == true)
        #expect(reading.takeWork() == .read)
        #expect(reading.pause(if: true) == .none)
        #expect(!reading.isPaused)
    }

    @Test mutating func `a peer that hung up while it was read counts as any end`() {
        #expect(reading.ready(.hungUp) == true)
        #expect(!reading.hasHungUp)
        #expect(reading.pause(if: true) == .paused)
    }

    @Test mutating func `the first reason for an end that is to come counts, and nothing is asked for until then`() {
        reading.end(soon: AMQPError(.connectionLost, "first"))
        reading.end(soon: AMQPError(.connectionLost, "second"))
        #expect(reading.pendingEnd?.message == "first")
        #expect(reading.wanted == [])
    }

    @Test mutating func `while a read is put off nothing is asked for, and whatever else reads may do so`() {
        #expect(reading.putOff() == true)
        #expect(reading.putOff() == false)
        #expect(reading.isPutOff && reading.wanted == [])
        #expect(reading.takeWork() == .read)
        #expect(reading.wanted == [])
        #expect(reading.pause(if: true) == .paused)
        #expect(reading.wanted == .hungUp)
        reading.readOn()
        #expect(reading.takeWork() == .nothing)
        #expect(reading.pause(if: false) == .resumed)
        #expect(!reading.isPutOff && reading.wanted == .readable)
    }

    @Test mutating func `what is to be read or handled, or ends, is not put off`() {
        reading.schedule()
        #expect(reading.putOff() == false)
        _ = reading.takeWork()
        reading.holdsFrames = true
        #expect(reading.putOff() == false)
        reading.holdsFrames = false
        _ = reading.pause(if: true)
        #expect(reading.putOff() == false)
        _ = reading.pause(if: false)
        reading.endNow()
        #expect(reading.putOff() == false)
    }

    @Test mutating func `after the end there is nothing to do`() {
        reading.holdsFrames = true
        reading.endNow()
        reading.end(soon: AMQPError(.connectionLost, "too late"))
        #expect(reading.pendingEnd == nil)
        #expect(reading.isOver)
        #expect(reading.takeWork() == .nothing)
    }

    @Test func `a watch is armed for what it is not armed for already`() {
        var interest = SocketInterest()
        #expect(interest.arm(for: .readable) == true)
        #expect(interest.arm(for: .readable) == false)
        #expect(interest.arm(for: [.readable, .writable]) == true)
        // More than is wanted does no harm, and a call to the system would cost.
        #expect(interest.arm(for: .writable) == false)
        interest.fired()
        #expect(interest.arm(for: .writable) == true)
        #expect(interest.armed == .writable)
        #expect(interest.arm(for: []) == false)
    }
}
