import TestSupport
import Testing

@testable import RabbitMQ

@Suite("The channel of what is tried again", .timeLimit(.minutes(1)))
struct RetryChannelTests {
    @Test func `is closed when its consumer ends, whoever holds that`() async throws {
        try await ScriptedClient.run { client in
            let queue = try await client.channel.declareQueue("q")
            let consumer = try await queue.consume(retrying: RetryPolicy(attempts: 1)) { _ in }
            try await eventually("those that looked are closed") { client.connection.statistics.channels == 2 }
            try await consumer.cancel()
            try await eventually("the consumer's own is left") { client.connection.statistics.channels == 1 }
            #expect(try await consumer.ended == nil)
        }
    }
}
