import Logging
import RabbitMQ
import RabbitMQTesting
import TestSupport
import Testing

/// Handlers that fail while others of their partition have come already.
@Suite("The order of a partition", .timeLimit(.minutes(1))) struct PartitionOrderTests {
    private struct Failure: Error {}

    /// Lends a broker, a connection, and what consumes the one partition there is, in which there are the messages 1, 2 and 3.
    private func processing(
        attempts: Int = 3,
        delay: Duration = .milliseconds(1),
        _ handler: @escaping @Sendable (UInt8) async throws -> Void,
        _ body: (InProcessBroker, Connection, Task<Void, any Error>) async throws -> Void
    ) async throws {
        try await InProcessBroker.run { broker in
            var configuration = broker.configuration
            configuration.logger.logLevel = .critical
            try broker.declareQueue("dead")
            let arguments = QueueArguments(deadLetterExchange: "", deadLetterRoutingKey: "dead")
            try broker.declareQueue("p.0", arguments: arguments)
            for number in 1...3 as ClosedRange<UInt8> { broker.publish(Message(body: [number]), routingKey: "p.0") }
            try await Connection.withConnection(configuration) { connection in
                let partitions = Partitions("p", count: 1, hashing: .byPublisher)
                let worker = Task {
                    try await partitions.process(on: connection, attempts: attempts, delay: delay) { message, _ in
                        try await handler(message.body.first ?? 0)
                    }
                }
                defer { worker.cancel() }
                try await body(broker, connection, worker)
            }
        }
    }

    private func isEmpty(_ broker: InProcessBroker) -> Bool {
        guard let queue = broker.queue("p.0") else { return false }
        return queue.ready == 0 && queue.unsettled == 0
    }

    @Test func `the messages behind one that fails wait until it succeeds`() async throws {
        let seen = Collected<UInt8>()
        try await processing { number in
            seen.add(number)
            if number == 1, seen.count < 3 { throw Failure() }
        } _: { broker, _, _ in
            try await eventually("all are done") { isEmpty(broker) }
            #expect(seen.all == [1, 1, 1, 2, 3])
            #expect(broker.queue("dead")?.ready == 0)
        }
    }

    @Test func `one that fails as often as may be is dead-lettered, and the others go on`() async throws {
        let seen = Collected<UInt8>()
        try await processing(attempts: 2) { number in
            seen.add(number)
            if number == 2 { throw Failure() }
        } _: { broker, _, _ in
            try await eventually("all are done") { isEmpty(broker) }
            #expect(seen.all == [1, 2, 2, 3])
            #expect(broker.messages(in: "dead").map(\.message.body) == [[2]])
        }
    }

    @Test func `a body that does not decode is not tried again`() async throws {
        let seen = Collected<UInt8>()
        try await processing(delay: .seconds(600)) { number in
            seen.add(number)
            if number == 1 { throw AMQPError(.decodingFailed, "no order") }
        } _: { broker, _, _ in
            try await eventually("all are done") { isEmpty(broker) }
            #expect(seen.all == [1, 2, 3])
        }
    }

    @Test func `one whose connection is gone when it fails comes again before the others`() async throws {
        let (seen, losses) = (Collected<UInt8>(), Collected<Int>())
        try await processing(delay: .seconds(600)) { number in
            seen.add(number)
            guard seen.count == 1 else { return }
            try await eventually("the connection is lost") { losses.count == 1 }
            throw Failure()
        } _: { broker, connection, _ in
            try await eventually("it is handled") { seen.count == 1 }
            broker.cut()
            try await eventually("it is lost") { connection.statistics.recoveries == 1 }
            losses.add(1)
            try await eventually("all are done") { isEmpty(broker) && seen.count >= 4 }
            #expect(seen.all == [1, 1, 2, 3])
        }
    }

    @Test(arguments: [false, true])
    func `nobody who ends it waits until one is tried again, and that one goes back`(shutsDown: Bool) async throws {
        let seen = Collected<UInt8>()
        try await processing(delay: .seconds(600)) { number in
            seen.add(number)
            throw Failure()
        } _: { broker, connection, worker in
            try await eventually("it has failed") { seen.count == 1 }
            if shutsDown {
                let report = await connection.shutdown(within: .seconds(20))
                #expect(report.isComplete)
            } else {
                worker.cancel()
                await #expect(throws: CancellationError.self) {
                    try await within(.seconds(20), "its end") { try await worker.value }
                }
            }
            try await eventually("all are there again") { broker.queue("p.0")?.ready == 3 }
            #expect(seen.all == [1])
            #expect(broker.queue("dead")?.ready == 0)
        }
    }
}
