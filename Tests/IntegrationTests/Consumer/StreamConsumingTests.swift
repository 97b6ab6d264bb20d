import RabbitMQ
import TestSupport
import Testing

@Suite("Consuming what RabbitMQ consumes in one way only", .timeLimit(.minutes(1)))
struct StreamConsumingTests {
    @Test("a stream without a prefetch limit, or without acknowledgements, is refused before anything is sent")
    func stream() async throws {
        try await TestBroker.withChannel { _, channel in
            let name = TestBroker.uniqueName("stream")
            let queue = try await channel.declareQueue(name, arguments: QueueArguments(type: .stream))
            let unlimited = await #expect(throws: AMQPError.self) { _ = try await queue.consume() }
            #expect(unlimited?.code == .invalidArgument)
            try await channel.setQos(prefetchCount: 10)
            let unacknowledged = await #expect(throws: AMQPError.self) { _ = try await queue.consume(.noAck) }
            #expect(unacknowledged?.code == .invalidArgument)
            // The channel lives, and the right way works.
            _ = try await queue.consume()
            try await queue.delete(ifUnused: false, ifEmpty: false)
        }
    }

    @Test("a quorum queue under a limit for the whole channel, or deleted on conditions, is refused")
    func quorum() async throws {
        try await TestBroker.withChannel { connection, channel in
            let name = TestBroker.uniqueName("quorum")
            let queue = try await channel.declareQueue(name, arguments: QueueArguments(type: .quorum))
            try await channel.setQos(prefetchCount: 10, global: true)
            let error = await #expect(throws: AMQPError.self) { _ = try await queue.consume() }
            #expect(error?.code == .invalidArgument)
            let conditional = await #expect(throws: AMQPError.self) { try await queue.delete(ifUnused: true) }
            #expect(conditional?.code == .invalidArgument)
            // By default it looks first.
            try await channel.selectConfirms()
            try await queue.publishConfirmed(Message("x"))
            let full = await #expect(throws: AMQPError.self) { try await queue.delete() }
            #expect(full?.code == .preconditionFailed && full?.isChannelFatal == false)
            #expect(channel.isOpen && connection.isOpen)
            #expect(try await queue.purge() == 1)
            try await queue.delete()
        }
    }
}
