import Testing

@testable import RabbitMQ

@Suite("consumers that have ended before their channel")
struct LeavingConsumersTests {
    private let consumers = UnconnectedConsumers()

    /// A consumer for which a message waits.
    private func busy(_ tag: UInt64) -> Consumer {
        let consumer = consumers.consumer("c\(tag)")
        _ = consumer.buffer.append(consumers.run([tag], for: consumer))
        return consumer
    }

    private func empty(_ consumer: Consumer) { _ = consumer.buffer.end(nil, cuts: true) }

    @Test func `only who has something left is kept, and comes out once`() {
        var leaving = LeavingConsumers()
        let (idle, busy) = (consumers.consumer("idle"), busy(1))
        leaving.add(idle)
        leaving.add(busy)
        #expect(leaving.count == 1)
        #expect(leaving.removeAll().map(\.tag) == ["c1"])
        #expect(leaving.count == 0 && leaving.removeAll().isEmpty)
        withExtendedLifetime(busy) {}
    }

    @Test func `none is kept alive`() {
        var leaving = LeavingConsumers()
        weak var reference: Consumer?
        do {
            let consumer = busy(1)
            reference = consumer
            leaving.add(consumer)
        }
        #expect(reference == nil)
        #expect(leaving.removeAll().isEmpty)
    }

    @Test func `those that have nothing left any more are forgotten as others come`() {
        var leaving = LeavingConsumers()
        var all: [Consumer] = []
        for tag in 1...1000 as ClosedRange<UInt64> {
            let consumer = busy(tag)
            leaving.add(consumer)
            all.append(consumer)
            #expect(leaving.count <= 64 + 10)
            // A few stay.
            if tag % 100 != 0 { empty(consumer) }
        }
        let left = leaving.removeAll().filter(\.buffer.hasUnseen)
        #expect(left.map(\.tag) == (1...10).map { "c\($0 * 100)" })
        withExtendedLifetime(all) {}
    }
}
