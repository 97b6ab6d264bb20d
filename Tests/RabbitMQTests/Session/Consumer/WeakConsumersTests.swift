import Testing

@testable import RabbitMQ

@Suite("Consumers that are not kept alive")
struct WeakConsumersTests {
    private let consumers = UnconnectedConsumers()

    private func isRunning(_ consumer: Consumer) -> Bool { consumer.callbacksReturned.current == nil }

    @Test func `those that are not needed any more are forgotten as others come`() {
        var calling = WeakConsumers()
        var all: [Consumer] = []
        for number in 1...1000 {
            let consumer = consumers.consumer("c\(number)", callback: { _ in })
            calling.add(consumer, keeping: isRunning)
            all.append(consumer)
            // A few run on.
            if number % 100 != 0 { consumer.callbacksReturned.set(()) }
        }
        let left = calling.all
        #expect(left.count <= 64 + 10 && calling.count == left.count)
        #expect(left.filter(isRunning).map(\.tag) == (1...10).map { "c\($0 * 100)" })
        withExtendedLifetime(all) {}
    }

    @Test func `none is kept alive, nor let go of where it is looked for`() {
        var calling = WeakConsumers()
        weak var reference: Consumer?
        do {
            let consumer = consumers.consumer("c", callback: { _ in })
            reference = consumer
            calling.add(consumer, keeping: isRunning)
        }
        #expect(reference == nil)
        #expect(calling.all.isEmpty)
        let others = (1...64).map { consumers.consumer("c\($0)", callback: { _ in }) }
        let seen = others.map { calling.add($0, keeping: isRunning).count }
        // The first entry of all is of one that has gone.
        #expect(seen == Array(repeating: 0, count: 63) + [63])
        withExtendedLifetime(others) {}
    }
}
