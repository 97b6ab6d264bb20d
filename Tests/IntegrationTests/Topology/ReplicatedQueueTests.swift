import RabbitMQ
import TestSupport
import Testing

@Suite("Typed arguments take effect: quorum queues and streams")
struct ReplicatedQueueTests {
    @Test("a quorum queue's delivery-limit dead-letters what is rejected too often")
    func deliveryLimit() async throws {
        try await Scratch.use { scratch, _, channel in
            let dead = try await channel.declareQueue(exclusive: true)
            let queue = try await channel.declareQueue(
                scratch.queue("quorum"),
                arguments: QueueArguments(
                    type: .quorum,
                    deadLetterExchange: "",
                    deadLetterRoutingKey: dead.name,
                    deliveryLimit: 2
                )
            )
            #expect(queue.arguments.type == .quorum)
            try await channel.send("poison", to: queue.name)
            var deliveries = 0
            try await eventually("the message to be dead") {
                while let message = try await queue.get() {
                    deliveries += 1
                    try message.reject()
                }
                return try await dead.readyCount() == 1
            }
            #expect(deliveries == 3)
            #expect(try await dead.next().headers?["x-first-death-reason"] == "delivery_limit")
        }
    }

    @Test("a quorum queue dead-letters at least once")
    func atLeastOnce() async throws {
        try await Scratch.use { scratch, _, channel in
            let dead = try await channel.declareQueue(scratch.queue("dead"), arguments: QueueArguments(type: .quorum))
            let queue = try await channel.declareQueue(
                scratch.queue("quorum"),
                arguments: QueueArguments(
                    type: .quorum,
                    maxLength: 100,
                    overflow: .rejectPublish,
                    deadLetterExchange: "",
                    deadLetterRoutingKey: dead.name,
                    deadLetterStrategy: .atLeastOnce
                )
            )
            try await channel.send("refused", to: queue.name)
            var message: IncomingMessage?
            try await eventually("the message to be there") {
                message = try await queue.get()
                return message != nil
            }
            try message?.reject(requeue: false)
            #expect(try await dead.next(within: .seconds(20)).message.text() == "refused")
        }
    }

    @Test("a stream is read from its first message, again and again")
    func stream() async throws {
        try await Scratch.use { scratch, connection, channel in
            let stream = try await channel.declareQueue(
                scratch.queue("stream"),
                arguments: QueueArguments(
                    type: .stream,
                    maxLengthBytes: 1_000_000_000,
                    initialGroupSize: 1,
                    maxAge: .seconds(7 * 86_400),
                    maxSegmentSize: 1_000_000
                )
            )
            try await channel.selectConfirms()
            for number in 0..<10 {
                try await channel.defaultExchange.publish(Message("\(number)"), routingKey: stream.name).confirmed()
            }
            for _ in 0..<2 {
                try await connection.withChannel { reading in
                    try await reading.setQos(prefetchCount: 3)
                    var texts: [String] = []
                    for try await message in try await reading.queue(stream.name).consume(
                        ConsumerOptions(streamOffset: .first)
                    ) {
                        texts.append(try message.message.text())
                        try message.ack()
                        if texts.count == 10 { break }
                    }
                    #expect(texts == (0..<10).map(String.init))
                }
            }
        }
    }

    @Test("what a stream can't do is refused before the broker closes the connection for it")
    func streamRules() async throws {
        try await Scratch.use { scratch, connection, channel in
            let stream = try await channel.declareQueue(
                scratch.queue("stream"),
                arguments: QueueArguments(type: .stream)
            )
            await expectError(.invalidArgument) { try await stream.get() }
            await expectError(.invalidArgument) { try await stream.purge() }
            #expect(channel.closeReason == nil)
            #expect(try await connection.answers())
        }
    }

    @Test(
        "the broker knows the argument: another value is another queue",
        arguments: [
            (QueueArguments(type: .quorum, initialGroupSize: 1), QueueArguments(type: .quorum, initialGroupSize: 2)),
            (
                QueueArguments(type: .quorum, leaderLocator: .balanced),
                QueueArguments(type: .quorum, leaderLocator: .clientLocal)
            ),
            (QueueArguments(type: .stream, maxAge: .seconds(60)), QueueArguments(type: .stream, maxAge: .seconds(61))),
            (
                QueueArguments(type: .stream, maxSegmentSize: 1_000_000),
                QueueArguments(type: .stream, maxSegmentSize: 2_000_000)
            ),
            (QueueArguments(type: .stream, initialGroupSize: 1), QueueArguments(type: .stream, initialGroupSize: 2)),
            (QueueArguments(type: .classic, mode: .lazy), QueueArguments(type: .classic, mode: .default)),
            (QueueArguments(type: .quorum), QueueArguments(type: .classic)),
        ]
    )
    func known(arguments: QueueArguments, other: QueueArguments) async throws {
        try await Scratch.use { scratch, _, channel in
            let name = scratch.queue()
            try await channel.declareQueue(name, arguments: arguments)
            try await channel.declareQueue(name, arguments: arguments)
            let changed = Set(other.table.keys.filter { other.table[$0] != arguments.table[$0] })
            let error = await expectError(.preconditionFailed) {
                try await channel.declareQueue(name, arguments: other)
            }
            #expect(changed.contains { error?.replyText?.contains("inequivalent arg '\($0)'") == true })
        }
    }
}
