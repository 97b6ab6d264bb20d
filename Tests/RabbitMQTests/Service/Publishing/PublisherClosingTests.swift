import TestSupport
import Testing

@testable import RabbitMQ

@Suite("A publisher that closes", .timeLimit(.minutes(1)))
struct PublisherClosingTests {
    @Test func `who has looked just before it closed publishes nothing behind what it waits for`() async throws {
        try await ScriptedClient.run([ScriptedClient.script { $0.confirms = false }]) { client in
            var options = Publisher.Options()
            options.maxUnconfirmed = 100_000
            let publisher = try await client.connection.openPublisher(options)
            let first = try await publisher.send(Message(body: [0]), routingKey: "q")
            var receipts = [first]
            let closing = Task { await publisher.close(within: .seconds(30)) }
            try await eventually("it closes") { publisher.closeReason != nil }
            // As `send` does it when it has looked.
            let (port, message) = (publisher.channel.core.port, Message(body: [1]))
            while let late = try port.publishAtOnce(message, exchange: "", routingKey: "q", mandatory: true) {
                receipts.append(late)
                await Task.yield()
            }
            #expect(receipts.count < options.maxUnconfirmed)
            let session = try client.broker.session
            let count = receipts.count
            try await eventually("all have come") { session.published.count == count }
            try await session.confirmAll(channel: UInt16(publisher.channel.number))
            let isDrained = await closing.value
            #expect(isDrained)
            for receipt in receipts { try await receipt.confirmed() }
        }
    }
}
