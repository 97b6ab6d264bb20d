import RabbitMQ
import TestSupport
import Testing

@Suite("Typed arguments take effect: limits of length, time and priority")
struct QueueLimitsTests {
    /// Takes what is ready, in order.
    private func drain(_ queue: Queue) async throws -> [String] {
        var texts: [String] = []
        while let message = try await queue.get(noAck: true) { texts.append(try message.message.text()) }
        return texts
    }

    /// Publishes with confirms, so that the queue has got it, or refused it, on return.
    private func publish(_ texts: String..., to queue: Queue) async throws -> [AMQPError.Code?] {
        try await queue.channel.selectConfirms()
        var outcomes: [AMQPError.Code?] = []
        for text in texts {
            let receipt = try await queue.channel.defaultExchange.publish(Message(text), routingKey: queue.name)
            do {
                try await receipt.confirmed()
                outcomes.append(nil)
            } catch let error as AMQPError {
                outcomes.append(error.code)
            }
        }
        return outcomes
    }

    @Test("max-length drops the head")
    func maxLength() async throws {
        try await TestBroker.withChannel { _, channel in
            let queue = try await channel.declareQueue(exclusive: true, arguments: QueueArguments(maxLength: 2))
            #expect(try await publish("1", "2", "3", to: queue) == [nil, nil, nil])
            #expect(try await drain(queue) == ["2", "3"])
        }
    }

    @Test("max-length-bytes drops the head")
    func maxLengthBytes() async throws {
        try await TestBroker.withChannel { _, channel in
            let queue = try await channel.declareQueue(
                exclusive: true,
                arguments: QueueArguments(type: .classic, maxLengthBytes: 4, overflow: .dropHead)
            )
            #expect(try await publish("11", "22", "33", to: queue) == [nil, nil, nil])
            #expect(try await drain(queue) == ["22", "33"])
        }
    }

    @Test("reject-publish refuses what is too much")
    func rejectPublish() async throws {
        try await TestBroker.withChannel { _, channel in
            let queue = try await channel.declareQueue(
                exclusive: true,
                arguments: QueueArguments(maxLength: 1, overflow: .rejectPublish)
            )
            #expect(try await publish("1", "2", to: queue) == [nil, .nacked])
            #expect(try await drain(queue) == ["1"])
        }
    }

    @Test("reject-publish-dlx dead-letters what is too much")
    func rejectPublishDeadLetter() async throws {
        try await TestBroker.withChannel { _, channel in
            let dead = try await channel.declareQueue(exclusive: true)
            let queue = try await channel.declareQueue(
                exclusive: true,
                arguments: QueueArguments(
                    maxLength: 1,
                    overflow: .rejectPublishDeadLetter,
                    deadLetterExchange: "",
                    deadLetterRoutingKey: dead.name
                )
            )
            #expect(try await publish("1", "2", to: queue) == [nil, .nacked])
            #expect(try await dead.next().message.text() == "2")
        }
    }

    @Test("message-ttl expires messages, which go to the dead-letter exchange with its key")
    func messageTTL() async throws {
        try await Scratch.use { scratch, _, channel in
            let exchange = try await channel.declareExchange(scratch.exchange(), type: .topic)
            let dead = try await channel.declareQueue(exclusive: true)
            try await dead.bind(to: exchange, routingKey: "late.#")
            let queue = try await channel.declareQueue(
                exclusive: true,
                arguments: QueueArguments(
                    messageTTL: .milliseconds(50),
                    deadLetterExchange: exchange.name,
                    deadLetterRoutingKey: "late.orders"
                )
            )
            try await channel.send("1", to: queue.name)
            let message = try await dead.next()
            #expect(message.exchangeName == exchange.name)
            #expect(message.routingKey == "late.orders")
            #expect(message.headers?["x-first-death-reason"] == "expired")
        }
    }

    @Test("expires deletes the unused queue")
    func expires() async throws {
        try await Scratch.use { scratch, connection, channel in
            let name = scratch.queue()
            try await channel.declareQueue(name, arguments: QueueArguments(expires: .milliseconds(100)))
            try await channel.selectConfirms()
            // Asking for the queue would prolong its life; publishing does not.
            try await eventually("the queue to be gone") {
                do {
                    try await channel.defaultExchange.publish(Message("?"), routingKey: name).confirmed()
                    return false
                } catch AMQPError.Code.undeliverable {
                    return true
                } catch AMQPError.Code.nacked {
                    // It was on its way to the queue when that went.
                    return false
                }
            }
        }
    }

    @Test("max-priority lets important messages overtake")
    func maxPriority() async throws {
        try await TestBroker.withChannel { _, channel in
            let queue = try await channel.declareQueue(exclusive: true, arguments: QueueArguments(maxPriority: 5))
            try await channel.selectConfirms()
            for (text, priority) in [("low", UInt8(1)), ("high", 5), ("middle", 3)] {
                let message = try Message(text, priority: priority)
                try await channel.defaultExchange.publish(message, routingKey: queue.name).confirmed()
            }
            #expect(try await drain(queue) == ["high", "middle", "low"])
        }
    }

    @Test("with single-active-consumer one consumer gets everything, and the next follows")
    func singleActiveConsumer() async throws {
        try await TestBroker.withChannel { _, channel in
            let queue = try await channel.declareQueue(
                exclusive: true,
                arguments: QueueArguments(singleActiveConsumer: true)
            )
            let (first, second) = (Collected<String>(), Collected<String>())
            let active = try await queue.consume(.noAck) { first.add(try $0.message.text()) }
            try await queue.consume(.noAck) { second.add(try $0.message.text()) }
            for number in 0..<10 { try await channel.send("\(number)", to: queue.name) }
            try await eventually("the first to get all") { first.count == 10 }
            #expect(second.all.isEmpty)
            try await active.cancel()
            try await channel.send("10", to: queue.name)
            try await eventually("the second to follow") { second.all == ["10"] }
        }
    }

    @Test("custom goes out as it is, and so does a dictionary literal")
    func escapeAndLiterals() async throws {
        try await TestBroker.withChannel { _, channel in
            let queue = try await channel.declareQueue(
                exclusive: true,
                arguments: QueueArguments(custom: ["x-max-length": 1])
            )
            #expect(queue.arguments.table == ["x-max-length": 1])
            #expect(try await publish("1", "2", to: queue) == [nil, nil])
            #expect(try await drain(queue) == ["2"])
            let plain = try await channel.declareQueue("", exclusive: true, arguments: [:])
            #expect(plain.arguments == [:])
            let table: QueueArguments = ["x-max-length": 1]
            let same = try await channel.declareQueue(queue.name, exclusive: true, passive: true, arguments: table)
            #expect(same.name == queue.name)
        }
    }

    @Test("what can't work is refused before anything is sent")
    func localChecks() async throws {
        try await Scratch.use { scratch, _, channel in
            await expectError(.invalidArgument) {
                try await channel.declareQueue(
                    scratch.queue(),
                    exclusive: true,
                    arguments: QueueArguments(type: .quorum)
                )
            }
            await expectError(.invalidArgument) {
                try await channel.declareExchange(
                    scratch.exchange(),
                    arguments: ExchangeArguments(alternateExchange: String(repeating: "x", count: 256))
                )
            }
            let queue = try await channel.declareQueue(exclusive: true)
            await expectError(.invalidArgument) {
                try await queue.bind(to: channel.headersExchange, arguments: .headers(.all, ["x-a": 1]))
            }
            #expect(channel.closeReason == nil)
        }
    }
}
