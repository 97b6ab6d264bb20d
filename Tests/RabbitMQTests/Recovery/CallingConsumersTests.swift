import Testing

@testable import RabbitMQ

@Suite("consumers that have ended, and whose callbacks may run on")
struct CallingConsumersTests {
    private let consumers = UnconnectedConsumers()

    @Test func `those whose callbacks have returned are forgotten as others come`() {
        var calling = CallingConsumers()
        var all: [Consumer] = []
        for number in 1...1000 {
            let consumer = consumers.consumer("c\(number)", callback: { _ in })
            _ = calling.add(consumer)
            all.append(consumer)
            // A few run on.
            if number % 100 != 0 { consumer.callbacksReturned.set(()) }
        }
        let left = calling.all
        #expect(left.count <= 64 + 10)
        #expect(left.filter { $0.callbacksReturned.current == nil }.map(\.tag) == (1...10).map { "c\($0 * 100)" })
        withExtendedLifetime(all) {}
    }

    @Test func `none is kept alive`() {
        var calling = CallingConsumers()
        weak var reference: Consumer?
        do {
            let consumer = consumers.consumer("c", callback: { _ in })
            reference = consumer
            _ = calling.add(consumer)
        }
        #expect(reference == nil)
        #expect(calling.all.isEmpty)
    }
}
