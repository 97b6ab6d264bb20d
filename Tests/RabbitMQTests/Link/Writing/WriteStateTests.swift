import Testing

@testable import RabbitMQ

@Suite("what a link does about writing")
struct WriteStateTests {
    private var writing = WriteState()

    @Test mutating func `a buffer is in flight until all of it is written`() {
        #expect(writing.isFlightEmpty && !writing.isBusy)
        writing.fill()
        #expect(!writing.isFlightEmpty && writing.isBusy && !writing.isAwaitingRoom)
        writing.wrote(all: true)
        #expect(writing.isFlightEmpty && !writing.isBusy)
        #expect(writing.wanted == [])
    }

    @Test mutating func `what the socket doesn't take waits for it to say that there is room`() {
        writing.fill()
        writing.wrote(all: false)
        #expect(writing.isAwaitingRoom && !writing.isFlightEmpty)
        #expect(writing.wanted == .writable)
        #expect(writing.noteRoom() == true)
        #expect(!writing.isAwaitingRoom && !writing.isFlightEmpty)
        #expect(writing.noteRoom() == false)
        writing.wrote(all: true)
        #expect(writing.noteRoom() == false)
    }

    @Test mutating func `a timer that brings the next flush keeps it busy`() {
        writing.cool(until: 7)
        #expect(writing.isCooling && writing.isBusy)
        writing.cooled()
        #expect(!writing.isBusy)
        #expect(writing.end() == nil)
    }

    @Test mutating func `the end leaves nothing in flight, and no timer`() {
        writing.fill()
        writing.wrote(all: false)
        writing.cool(until: 7)
        #expect(writing.end() == 7)
        #expect(!writing.isBusy && !writing.isAwaitingRoom)
        #expect(writing.end() == nil)
    }
}
