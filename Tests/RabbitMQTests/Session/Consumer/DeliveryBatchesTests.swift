import TestSupport
import Testing

@testable import RabbitMQ

/// With a broker, see `BatchTests`.
@Suite("messages in arrays", .timeLimit(.minutes(1)))
struct DeliveryBatchesTests {
    private let consumers = UnconnectedConsumers()

    private func deliver(_ tags: ClosedRange<UInt64>, to consumer: Consumer) {
        _ = consumer.buffer.append(consumers.run(tags, for: consumer))
    }

    private func tags(_ batch: [IncomingMessage]?) -> [UInt64]? { batch?.map(\.deliveryTag) }

    @Test func `full ones come at once, whatever came together, and the rest with the end`() async throws {
        let consumer = consumers.consumer("c")
        deliver(1...4, to: consumer)
        deliver(5...8, to: consumer)
        _ = consumer.buffer.end(nil, cuts: false)
        var batches = Deliveries(consumer).batches(count: 3, within: .seconds(1000)).makeAsyncIterator()
        #expect(tags(try await batches.next()) == [1, 2, 3])
        #expect(tags(try await batches.next()) == [4, 5, 6])
        #expect(tags(try await batches.next()) == [7, 8])
        #expect(try await batches.next() == nil)
    }

    @Test func `one that is not full comes when its first message has waited so long`() async throws {
        let consumer = consumers.consumer("c")
        deliver(1...2, to: consumer)
        var batches = Deliveries(consumer).batches(count: 3, within: .milliseconds(50)).makeAsyncIterator()
        let start = ContinuousClock.now
        #expect(tags(try await batches.next()) == [1, 2])
        #expect(ContinuousClock.now - start >= .milliseconds(50))
    }

    @Test func `an end that cuts off gives back what has come, which is nobody's then`() async throws {
        let consumer = consumers.consumer("c")
        deliver(1...2, to: consumer)
        let taking = Task {
            var batches = Deliveries(consumer).batches(count: 3, within: .seconds(1000)).makeAsyncIterator()
            return try await batches.next() == nil
        }
        try await eventually("both are held") {
            consumer.buffer.unseenTags(of: consumer.source) == [1, 2] && consumer.buffer.waitingBytes == 0
        }
        consumer.cancelInBackground()
        #expect(try await within(.seconds(10), "the end") { try await taking.value })
        #expect(consumers.unsettledCount == 0)
    }

    @Test func `without acknowledgement what has come is given, as it is nowhere else`() async throws {
        let consumer = consumers.consumer("c", noAck: true)
        deliver(1...2, to: consumer)
        let taking = Task {
            var batches = Deliveries(consumer).batches(count: 3, within: .seconds(1000)).makeAsyncIterator()
            return try await batches.next()?.map(\.deliveryTag)
        }
        try await eventually("both are held") { consumer.buffer.waitingBytes == 0 }
        // As when it is cancelled.
        consumer.end(nil)
        #expect(try await within(.seconds(10), "the end") { try await taking.value } == [1, 2])
    }
}
