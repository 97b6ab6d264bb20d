import Logging
import RabbitMQ
import RabbitMQTesting
import TestSupport
import Testing

/// A handler that fails after the connection of its message was lost.
@Suite("A failure whose message comes again", .timeLimit(.minutes(1))) struct LostFailureTests {
    private struct Failure: Error {}

    enum Way: CaseIterable { case sequence, callback, partitions }

    private func process(
        _ way: Way,
        on connection: Connection,
        _ handler: @escaping @Sendable (IncomingMessage) async throws -> Void
    ) async throws {
        switch way {
        case .sequence:
            try await connection.withChannel { channel in
                try await channel.queue("p.0").consume().process(maxConcurrency: 1, handler)
            }
        case .callback:
            try await connection.withChannel { channel in
                let consumer = try await channel.queue("p.0").consume { message in
                    try await handler(message)
                    try message.ack()
                }
                _ = try await consumer.ended
            }
        case .partitions:
            let partitions = Partitions("p", count: 1, hashing: .byPublisher)
            try await partitions.process(on: connection) { message, _ in try await handler(message) }
        }
    }

    @Test(arguments: Way.allCases) func `is no error, and settles nothing`(way: Way) async throws {
        let (log, seen, losses) = (CapturedLog(), Collected<UInt8>(), Collected<Int>())
        try await InProcessBroker.run { broker in
            var configuration = broker.configuration
            configuration.logger = log.logger
            try broker.declareQueue("p.0")
            broker.publish(Message(body: [1]), routingKey: "p.0")
            try await Connection.withConnection(configuration) { connection in
                let worker = Task {
                    try await process(way, on: connection) { message in
                        seen.add(message.body.first ?? 0)
                        guard seen.count == 1 else { return }
                        try await eventually("the connection is lost") { losses.count == 1 }
                        throw Failure()
                    }
                }
                defer { worker.cancel() }
                try await eventually("it is handled") { seen.count == 1 }
                broker.cut()
                try await eventually("there is another connection") { connection.statistics.recoveries == 1 }
                losses.add(1)
                try await eventually("it comes again, and is done") {
                    guard let queue = broker.queue("p.0") else { return false }
                    return seen.count == 2 && queue.ready == 0 && queue.unsettled == 0
                }
                #expect(connection.statistics.staleSettlements == 0)
                let failures = log.entries(containing: "Failure()")
                #expect(failures.map(\.level) == [.debug])
            }
        }
    }
}
