import Testing

@testable import RabbitMQ

@Suite("a receiver's part of what waits")
struct InboundShareTests {
    private let gauge = InboundGauge(highWater: 1000) {}

    @Test func `what waits for it counts, until it is taken`() {
        let share = InboundShare(gauge: gauge)
        gauge.add(7)
        share.add(100)
        share.add(20)
        #expect(gauge.waitingBytes == 127)
        share.remove(100)
        #expect(gauge.waitingBytes == 27)
        share.remove(20)
        #expect(gauge.waitingBytes == 7)
    }

    @Test func `the end counts out what is left of it, once, and nothing of the others`() {
        let (share, other) = (InboundShare(gauge: gauge), InboundShare(gauge: gauge))
        share.add(100)
        other.add(30)
        share.remove(40)
        share.end()
        #expect(gauge.waitingBytes == 30)
        share.end()
        #expect(gauge.waitingBytes == 30)
    }

    @Test func `after the end nothing is counted, in or out`() {
        let share = InboundShare(gauge: gauge)
        share.add(100)
        share.end()
        // What a receiver takes or gets that is on its way out.
        share.remove(100)
        share.add(50)
        #expect(gauge.waitingBytes == 0)
    }

    @Test func `what is counted out lets reading go on`() {
        let share = InboundShare(gauge: gauge)
        share.add(1000)
        #expect(gauge.decide())
        share.end()
        #expect(!gauge.decide())
    }
}
