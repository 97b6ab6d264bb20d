import TestSupport
import Testing

@testable import RabbitMQ

@Suite("Shutting down in the handler of a partition", .timeLimit(.minutes(1)))
struct PartitionShutdownTests {
    @Test func `does not wait for the handler that has called it`() async throws {
        try await ScriptedClient.run { client in
            let connection = client.connection
            let ended = Broadcast<ShutdownReport>()
            let outer = try await client.channel.declareQueue("outer").consume { _ in
                let partitions = Partitions("p", count: 1, hashing: .byPublisher)
                try await partitions.process(on: connection) { _, _ in
                    ended.set(await connection.shutdown(within: .seconds(60)))
                }
            }
            let session = try client.broker.session
            try await session.deliver("x", tag: 1, consumer: outer.tag)
            try await client.waitForConsumers(2)
            let inner = try #require(session.consumers.last)
            try await session.deliver("y", tag: 1, consumer: inner.tag, channel: inner.channel)
            let report = try await within(.seconds(20), "the end") { try await ended.wait() }
            #expect(report.unsettled == 2 && !report.isComplete)
            try await within(.seconds(20), "the callback's return") { try await outer.callbacksReturned.wait() }
        }
    }
}
