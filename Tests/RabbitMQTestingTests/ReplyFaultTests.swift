import Logging
import RabbitMQ
import RabbitMQTesting
import TestSupport
import Testing

/// A request whose connection is lost before it is answered is delivered again.
@Suite("Replies and lost connections", .timeLimit(.minutes(1))) struct ReplyFaultTests {
    /// Lends a broker, a connection, and the queue `q`, whose requests want their replies in the queue `replies`.
    private func serving(
        exclusive: Bool = false,
        _ handler: @escaping @Sendable (IncomingMessage) async throws -> Message,
        _ body: (InProcessBroker, Connection) async throws -> Void
    ) async throws {
        try await InProcessBroker.run { broker in
            var configuration = broker.configuration
            configuration.logger.logLevel = .critical
            try broker.declareQueue("replies")
            try await Connection.withConnection(configuration) { connection in
                let queue = try await connection.openChannel().declareQueue("q", exclusive: exclusive)
                let server = try await queue.serveMessages(maxConcurrency: 1, handler: handler)
                try await body(broker, connection)
                await server.stop(within: .seconds(5))
            }
        }
    }

    private func replies(_ broker: InProcessBroker) -> [[UInt8]] { broker.messages(in: "replies").map(\.message.body) }

    @Test func `one that waits to be sent is not sent behind its request`() async throws {
        let runs = Collected<Int>()
        try await serving { _ in
            runs.add(1)
            return Message(body: [UInt8(runs.count)])
        } _: { broker, connection in
            // Not those that come after the loss.
            broker.block("low on memory", broker.connections.first?.id)
            try await eventually("it is blocked") { connection.blockedReason != nil }
            broker.publish(Message(body: [0], replyTo: "replies"), routingKey: "q")
            try await eventually("its reply waits") { connection.statistics.heldBackPublishers == 1 }
            broker.cut()
            try await eventually("it is answered") {
                broker.queue("q")?.unsettled == 0 && broker.queue("q")?.ready == 0 && !replies(broker).isEmpty
            }
            #expect(replies(broker) == [[2]])
            #expect(connection.statistics.staleSettlements == 0)
        }
    }

    @Test(arguments: [false, true])
    func `one that comes after the loss is sent only where its request does not come again`(goes: Bool) async throws {
        let (runs, recoveries) = (Collected<Int>(), Collected<Int>())
        try await serving(exclusive: goes) { request in
            runs.add(1)
            let run = UInt8(runs.count)
            if run == 1 {
                try await eventually("the connection is there again") { request.isStale && recoveries.count == 1 }
            }
            return Message(body: [run])
        } _: { broker, connection in
            broker.publish(Message(body: [0], replyTo: "replies"), routingKey: "q")
            try await eventually("it is run") { runs.count == 1 }
            broker.cut()
            try await eventually("it is there again") {
                connection.statistics.recoveries == 1 && connection.state == .up && broker.queue("q")?.consumers == 1
            }
            recoveries.add(1)
            try await eventually("it is answered") { !replies(broker).isEmpty }
            #expect(replies(broker) == [[goes ? 1 : 2]])
        }
    }

    @Test func `a request that was run and goes back, since the server stops while the broker is blocked, is told of`()
        async throws
    {
        let log = CapturedLog()
        try await InProcessBroker.run { broker in
            var configuration = broker.configuration
            configuration.logger = log.logger
            try broker.declareQueue("replies")
            try await Connection.withConnection(configuration) { connection in
                let queue = try await connection.openChannel().declareQueue("q")
                let server = try await queue.serveMessages { $0.message }
                broker.block()
                try await eventually("it is blocked") { connection.blockedReason != nil }
                broker.publish(Message(body: [0], replyTo: "replies"), routingKey: "q")
                try await eventually("its reply waits") { connection.statistics.heldBackPublishers == 1 }
                await server.stop(within: .milliseconds(50))
                try await eventually("it has gone back") { broker.queue("q")?.ready == 1 }
                #expect(replies(broker).isEmpty)
                #expect(log.entries(containing: "to be run again").map(\.level) == [.warning])
                broker.unblock()
            }
        }
    }
}
