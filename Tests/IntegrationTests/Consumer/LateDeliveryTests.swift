import RabbitMQ
import TestSupport
import Testing

@Suite("a channel that the broker closes while it delivers", .timeLimit(.minutes(2)))
struct LateDeliveryTests {
    @Test(arguments: [1, 2, 10])
    func `the connection and its other channels go on`(consumers: Int) async throws {
        try await Scratch.use { scratch, _, channel in
            let queue = try await channel.declareQueue(scratch.queue("backlog"))
            try await channel.selectConfirms()
            for _ in 0..<5000 {
                try await channel.defaultExchange.publish(Message(body: [1, 2, 3]), routingKey: queue.name)
            }
            try await channel.waitForConfirms()
            for _ in 0..<10 {
                try await TestBroker.withConnection { connection in
                    for _ in 0..<2 { try await loseChannel(connection, queue.name, consumers) }
                    let other = try await connection.openChannel()
                    _ = try await other.declareQueue(queue.name, passive: true)
                    #expect(connection.closeReason == nil)
                }
            }
        }
    }

    /// Has the broker close a channel (404) in the midst of what it delivers.
    private func loseChannel(_ connection: Connection, _ queue: String, _ consumers: Int) async throws {
        let channel = try await connection.openChannel()
        var all: [Deliveries] = []
        for _ in 0..<consumers { all.append(try await channel.queue(queue).consume()) }
        var first = all[0].makeAsyncIterator()
        _ = try await first.next()
        try await channel.exchange(TestBroker.uniqueName("missing")).publish(Message(body: []), routingKey: "")
        #expect(try await channel.closed.code == .notFound)
        withExtendedLifetime(all) {}
    }
}
