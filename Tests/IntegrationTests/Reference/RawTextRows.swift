import RabbitMQ
import TestSupport
import Testing

/// Short strings that are not UTF-8, as clients in other languages send them, by way of a broker.
@Suite("Short strings that are no text", .timeLimit(.minutes(5)))
struct RawTextRows {
    /// As random as a caller's own id, no two alike.
    private static func bytes(_ first: UInt8) -> [UInt8] {
        [first, 0xC3, 0x28, 0, 0xFF, 0x80, 0xEF, 0xBF, 0xBD, 0xEF, 0xB7, 0x9F, 0xF0, 0x9F, 10, 0xFE]
    }

    private static func text(_ first: UInt8) -> String { String(amqpBytes: bytes(first)) }

    private static func message() -> Message {
        var message = Message(
            body: [1],
            headers: [text(1): .string("v"), text(2): .bytes(bytes(3))],
            contentType: text(4)
        )
        message.contentEncoding = text(5)
        message.correlationID = text(6)
        message.replyTo = text(7)
        message.messageID = text(8)
        message.type = text(9)
        message.appID = text(10)
        return message
    }

    @Test("come back byte for byte, also when the message is sent on")
    func forwarded() async throws {
        try await Scratch.use { scratch, _, channel in
            let (first, second) = (scratch.queue(), scratch.queue())
            let queues = (try await channel.declareQueue(first), try await channel.declareQueue(second))
            let message = Self.message()
            let exchange = try await channel.declareExchange("")
            try await exchange.publish(message, routingKey: first)
            let forwarded = try await queues.0.next()
            #expect(forwarded.message == message)
            #expect(forwarded.correlationID?.amqpBytes == Self.bytes(6))
            try await exchange.publish(forwarded.message, routingKey: second)
            for try await arrived in try await queues.1.consume() {
                #expect(arrived.message == message)
                try arrived.ack()
                break
            }
        }
    }

    @Test("come back with a message that is returned, which is the one that was published")
    func returned() async throws {
        try await TestBroker.withChannel { _, channel in
            try await channel.selectConfirms()
            let message = Self.message()
            let error = await expectError(.undeliverable) {
                _ = try await channel.declareExchange("").publishConfirmed(
                    message,
                    routingKey: TestBroker.uniqueName("nowhere")
                )
            }
            #expect(error?.returned?.message == message)
        }
    }

    @Test("are refused as names, routing keys and tags, over which RabbitMQ closes the connection")
    func names() async throws {
        try await TestBroker.withChannel { _, channel in
            let raw = Self.text(1)
            let queue = try await channel.declareQueue(exclusive: true)
            let exchange = try await channel.declareExchange("amq.topic", type: .topic, passive: true)
            await expectError(.invalidArgument) { try await exchange.publish(Message(body: []), routingKey: raw) }
            await expectError(.invalidArgument) { _ = try await queue.bind(to: exchange, routingKey: raw) }
            await expectError(.invalidArgument) { _ = try await queue.consume(ConsumerOptions(tag: raw)) }
            await expectError(.invalidName) { _ = try await channel.declareQueue(raw) }
            await expectError(.invalidName) { _ = try await channel.declareQueue(raw, passive: true) }
            await expectError(.invalidExchangeName) { _ = try await channel.declareExchange(raw) }
            #expect(channel.closeReason == nil)
        }
    }

    @Test("in a request come back in its reply")
    func replies() async throws {
        try await TestBroker.withChannel { connection, channel in
            let requests = try await channel.declareQueue(exclusive: true)
            let replies = try await channel.declareQueue(exclusive: true)
            let server = try await requests.serveMessages { Message(body: $0.body + [2]) }
            for first in UInt8(0)..<100 {
                var request = Message(body: [first], replyTo: replies.name)
                request.correlationID = Self.text(first)
                try await channel.declareExchange("").publish(request, routingKey: requests.name)
            }
            var ids: Set<[UInt8]> = []
            for _ in 0..<100 {
                let reply = try await replies.next()
                #expect(reply.correlationID?.amqpBytes.first == reply.body.first)
                ids.insert(reply.correlationID?.amqpBytes ?? [])
            }
            #expect(ids == Set((UInt8(0)..<100).map(Self.bytes)))
            await server.stop()
        }
    }
}
