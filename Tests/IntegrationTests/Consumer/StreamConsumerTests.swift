import Foundation
import RabbitMQ
import TestSupport
import Testing

@Suite("Consumers of a stream")
struct StreamConsumerTests {
    private func withStream(_ body: (Channel, Queue) async throws -> Void) async throws {
        try await TestBroker.withConnection { connection in
            let channel = try await connection.openChannel()
            let queue = try await channel.declareQueue(
                TestBroker.uniqueName("stream"),
                arguments: ["x-queue-type": "stream"]
            )
            do {
                // Confirmed, so that what a consumer finds doesn't depend on how soon the stream has them.
                try await connection.withChannel { channel in
                    try await channel.selectConfirms()
                    let exchange = try await channel.declareExchange("")
                    for number in 0..<20 {
                        try await exchange.publishConfirmed(Message("\(number)"), routingKey: queue.name)
                    }
                }
                try await channel.setQos(prefetchCount: 100)
                try await body(channel, queue)
            } catch {
                try? await delete(queue, connection)
                throw error
            }
            try await delete(queue, connection)
        }
    }

    private func delete(_ queue: Queue, _ connection: Connection) async throws {
        let channel = try await connection.openChannel()
        try await channel.declareQueue(queue.name, passive: true).delete(ifUnused: false, ifEmpty: false)
    }

    /// The offset and number of the first message that counts.
    private func firstMessage(_ queue: Queue, _ offset: StreamOffset, atLeast: Int) async throws -> (UInt64?, Int?) {
        for try await message in try await queue.consume(ConsumerOptions(streamOffset: offset)) {
            try message.ack()
            guard let number = Int(try message.text()), number >= atLeast else { continue }
            return (message.streamOffset, number)
        }
        return (nil, nil)
    }

    @Test("a consumer begins at the first message, an offset, a time, or an interval ago")
    func offsets() async throws {
        try await withStream { channel, queue in
            let begin = Date(timeIntervalSinceNow: -60)
            for offset in [
                StreamOffset.first, .offset(0), .timestamp(begin), .interval("1h"),
            ] {
                let first = try await firstMessage(queue, offset, atLeast: 0)
                #expect(first == (0, 0), "\(offset)")
            }
            // A chunk may begin before the offset that was asked for.
            let tenth = try await firstMessage(queue, .offset(10), atLeast: 10)
            #expect(tenth == (10, 10))
            let last = try await firstMessage(queue, .last, atLeast: 19)
            #expect(last == (19, 19))
        }
    }

    @Test("a consumer begins at what is published from now on")
    func next() async throws {
        try await withStream { channel, queue in
            let deliveries = try await queue.consume(ConsumerOptions(streamOffset: .next))
            let exchange = try await channel.declareExchange("")
            try await exchange.publish(Message("new"), routingKey: queue.name)
            for try await message in deliveries {
                #expect(try message.text() == "new")
                try message.ack()
                break
            }
        }
    }

    @Test("what a stream's consumer lacks is told before the broker closes the channel for it")
    func refusedLocally() async throws {
        try await withStream { channel, queue in
            for options in [
                ConsumerOptions(noAck: true, streamOffset: .first), ConsumerOptions(streamOffset: .interval("soon")),
            ] {
                await #expect {
                    _ = try await queue.consume(options)
                } throws: { ($0 as? AMQPError)?.code == .invalidArgument }
            }
            try await channel.setQos(prefetchCount: 0)
            await #expect {
                _ = try await queue.consume(ConsumerOptions(streamOffset: .first))
            } throws: { ($0 as? AMQPError)?.code == .invalidArgument }
            #expect(channel.closeReason == nil)
        }
    }
    @Test("a stream's message can't be rejected, which would cost the connection; a scope acknowledges it")
    func neverRejected() async throws {
        try await withStream { channel, queue in
            let deliveries = try await queue.consume(ConsumerOptions(streamOffset: .first))
            var count = 0
            for try await message in deliveries {
                for refuse in [{ try message.reject() }, { try message.nack(multiple: true) }] as [() throws -> Void] {
                    #expect(performing: refuse, throws: { ($0 as? AMQPError)?.code == .unsupported })
                }
                try? await message.process { _ in throw CancellationError() }
                #expect(performing: { try message.ack() }, throws: { ($0 as? AMQPError)?.code == .alreadySettled })
                count += 1
                if count == 3 { break }
            }
            // What had come and was not taken was settled too, and nothing was closed.
            try await channel.setQos(prefetchCount: 1)
            #expect(channel.closeReason == nil)
        }
    }

    @Test("leaving a loop over a stream that is not known to be one harms nothing")
    func unknownStream() async throws {
        try await withStream { channel, queue in
            let unknown = try await channel.declareQueue(queue.name, passive: true)
            let deliveries = try await unknown.consume()
            let exchange = try await channel.declareExchange("")
            for _ in 0..<30 { try await exchange.publish(Message("new"), routingKey: queue.name) }
            for try await message in deliveries {
                try message.ack()
                break
            }
            try await channel.setQos(prefetchCount: 1)
            #expect(channel.closeReason == nil)
        }
    }
}
