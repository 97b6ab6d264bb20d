import RabbitMQ
import TestSupport
import Testing

@Suite("Prefetch limits", .timeLimit(.minutes(1)))
struct PrefetchTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let limits: [(count: UInt16, global: Bool)]
        /// How many of 30 messages the broker sends before any is acknowledged.
        let delivered: Int
        /// And how many from 4.3 on, where a limit for all is taken for one for each consumer.
        var deliveredNewer: Int?

        var testDescription: String { "\(limits)" }
    }

    @Test(
        "a limit for each consumer lifts the one for all",
        arguments: [
            Case(limits: [(5, true)], delivered: 5),
            Case(limits: [(5, true), (20, false)], delivered: 20),
            Case(limits: [(5, true), (0, false)], delivered: 30),
            Case(limits: [(20, false), (5, true)], delivered: 5),
            Case(limits: [(20, false), (5, true), (0, true)], delivered: 20, deliveredNewer: 30),
        ]
    )
    func limits(_ limits: Case) async throws {
        let isNewer = try await BrokerVersion.current >= .v4_3
        let delivered = isNewer ? limits.deliveredNewer ?? limits.delivered : limits.delivered
        try await TestBroker.withQueue { connection, _, queue, exchange in
            try await exchange.publishNumbers(0..<30, to: queue)
            try await connection.waitForMessages(30, in: queue)
            let channel = try await connection.openChannel()
            for limit in limits.limits { try await channel.setQos(prefetchCount: limit.count, global: limit.global) }
            let deliveries = try await channel.queue(queue.name).consume()
            try await connection.waitForMessages(30 - delivered, in: queue)
            // And no more than that.
            try await channel.declareQueue(exclusive: true)
            #expect(try await connection.counts(of: queue).messages == 30 - delivered)
            try await deliveries.consumer.cancel()
        }
    }

    @Test("a consumer tag that is used twice is refused, and the connection goes on")
    func tags() async throws {
        try await TestBroker.withQueue { connection, _, queue, exchange in
            let first = try await queue.consume(ConsumerOptions(tag: "mine"))
            let error = await #expect(throws: AMQPError.self) { try await queue.consume(ConsumerOptions(tag: "mine")) }
            #expect(error?.code == .invalidArgument)
            try await first.consumer.cancel()
            try await exchange.publishNumbers(0..<1, to: queue)
            for try await message in try await queue.consume(ConsumerOptions(tag: "mine")) {
                try message.ack()
                break
            }
            #expect(connection.closeReason == nil)
        }
    }
}
