import Logging
import RabbitMQ
import RabbitMQTesting
import TestSupport
import Testing

/// A call on its way when the connection is lost fails: what is opened with several of them goes on with the next one.
@Suite("What is opened while the connection is lost", .timeLimit(.minutes(1))) struct OpeningFaultTests {
    /// Lends a broker and a connection, which is lost with the next method of this name.
    private func losing(
        _ method: String,
        _ body: (InProcessBroker, Connection) async throws -> Void
    ) async throws {
        try await InProcessBroker.run { broker in
            var configuration = broker.configuration
            configuration.logger.logLevel = .critical
            try await Connection.withConnection(configuration) { connection in
                try broker.declareQueue("q")
                broker.inject(.cut, at: .method(method))
                try await body(broker, connection)
                #expect(connection.statistics.losses == 1)
            }
        }
    }

    @Test(arguments: ["channel.open", "confirm.select"]) func `a publisher publishes`(method: String) async throws {
        try await losing(method) { broker, connection in
            let publisher = try await connection.openPublisher()
            try await publisher.publish(Message(body: [1]), routingKey: "q")
            #expect(broker.queue("q")?.ready == 1)
            await publisher.close()
        }
    }

    @Test(arguments: ["channel.open", "basic.consume"]) func `a client calls`(method: String) async throws {
        try await losing(method) { _, connection in
            let client = try await connection.openRPCClient(routingKey: "q")
            let queue = try await connection.openChannel().queue("q")
            let server = try await queue.serveMessages { $0.message }
            #expect(try await client.call(Message(body: [7])).body == [7])
            await server.stop()
            await client.close()
        }
    }

    @Test(arguments: ["basic.qos", "basic.consume"]) func `a server answers`(method: String) async throws {
        try await losing(method) { broker, connection in
            let queue = try await connection.openChannel().queue("q")
            let server = try await queue.serveMessages { $0.message }
            try broker.declareQueue("replies")
            broker.publish(Message(body: [7], replyTo: "replies"), routingKey: "q")
            try await eventually("it is answered") { broker.messages(in: "replies").map(\.message.body) == [[7]] }
            #expect(broker.queue("q")?.consumers == 1)
            await server.stop()
        }
    }
}
