import RabbitMQ
import TestSupport
import Testing

@Suite("The consumer timeout of a queue")
struct ConsumerTimeoutTests {
    /// Consumes a queue whose consumers have a second, and keeps its message.
    private func keep(
        _ arguments: QueueArguments,
        _ options: ConsumerOptions,
        _ body: (Channel, Queue, IncomingMessage, AMQPError) async throws -> Void
    ) async throws {
        try await Scratch.use { scratch, _, channel in
            let queue = try await channel.declareQueue(scratch.queue("timeout"), arguments: arguments)
            try await channel.setQos(prefetchCount: 10)
            try await channel.send("slow", to: queue.name)
            let (message, error) = try await within(.seconds(30), "the consumer's end") {
                var kept: IncomingMessage?
                do {
                    for try await message in try await queue.consume(options) { kept = message }
                } catch let error as AMQPError {
                    return (kept, error)
                }
                return (kept, AMQPError(.unsupported, "the consumer ended without an error"))
            }
            try await body(channel, queue, try #require(message), error)
        }
    }

    private static let cases: [(QueueArguments, ConsumerOptions)] = [
        (QueueArguments(type: .quorum, consumerTimeout: .seconds(1)), ConsumerOptions()),
        (QueueArguments(type: .quorum), ConsumerOptions(timeout: .seconds(1))),
        (QueueArguments(type: .quorum, consumerTimeout: .seconds(3_600)), ConsumerOptions(timeout: .seconds(1))),
    ]

    @Test(
        "cancels the consumer, whose message goes back while the channel lives",
        .needsBroker(.v4_3),
        arguments: cases
    )
    func cancels(arguments: QueueArguments, options: ConsumerOptions) async throws {
        try await keep(arguments, options) { channel, queue, message, error in
            #expect(error.code == .consumerCancelled, "\(error)")
            #expect(channel.closeReason == nil)
            let again = try await queue.next()
            #expect(try again.text() == "slow")
            #expect(again.redelivered)
            #expect(again.acquiredCount == 1)
            #expect(again.deliveryCount == nil)
            // The broker doesn't take a late answer for the new delivery's, or for a mistake.
            try? message.ack()
            #expect(try await channel.connection.answers())
            try await channel.setQos(prefetchCount: 1)
            #expect(channel.closeReason == nil)
        }
    }

    @Test(
        "times out of range, and other types of queue, are refused before the broker loses queue, channel or connection"
    )
    func refused() async throws {
        try await Scratch.use { scratch, connection, channel in
            let name = scratch.queue("timeout")
            for table in [["x-consumer-timeout": .int64(1 << 45)], ["x-delayed-retry-min": .uint64(.max)]]
                as [FieldTable]
            {
                await expectError(.invalidArgument) {
                    try await channel.declareQueue(
                        name,
                        arguments: QueueArguments(table.merging(["x-queue-type": "quorum"]) { $1 })
                    )
                }
            }
            let quorum = try await channel.declareQueue(name, arguments: QueueArguments(type: .quorum))
            for options in [
                ConsumerOptions(timeout: .zero), ConsumerOptions(arguments: ["x-consumer-timeout": .int64(1 << 45)]),
            ] {
                await expectError(.invalidArgument) { try await quorum.consume(options) }
            }
            let classic = try await channel.declareQueue(
                exclusive: true,
                arguments: QueueArguments(type: .classic)
            )
            await expectError(.invalidArgument) {
                try await classic.consume(ConsumerOptions(timeout: .seconds(1)))
            }
            #expect(channel.closeReason == nil)
            #expect(try await connection.answers())
        }
    }

    @Test("the longest times that pass do the broker no harm", .needsBroker(.v4_3))
    func longest() async throws {
        try await Scratch.use { scratch, _, channel in
            let longest = Duration.seconds(315_360_000)
            let queue = try await channel.declareQueue(
                scratch.queue("timeout"),
                arguments: QueueArguments(
                    type: .quorum,
                    delayedRetryType: .failed,
                    delayedRetryMin: longest,
                    delayedRetryMax: longest,
                    consumerTimeout: longest,
                    consumerDisconnectedTimeout: longest
                )
            )
            try await channel.setQos(prefetchCount: 1)
            try await channel.send("one", to: queue.name)
            for try await message in try await queue.consume(ConsumerOptions(timeout: longest)) {
                try message.reject()
                break
            }
            // The rejected one waits; the queue goes on.
            try await channel.send("two", to: queue.name)
            #expect(try await queue.next().text() == "two")
            #expect(try await queue.readyCount() == 0)
        }
    }
}
