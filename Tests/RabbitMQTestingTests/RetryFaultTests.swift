import Logging
import RabbitMQ
import RabbitMQTesting
import TestSupport
import Testing

/// What becomes of messages that can't be processed, when something else goes wrong besides.
@Suite("Retries and faults", .timeLimit(.minutes(1))) struct RetryFaultTests {
    private struct Failure: Error {}

    private func allParked(_ broker: InProcessBroker) async throws {
        try await eventually("nothing is left but what is parked") {
            guard let queue = broker.queue("q"), let parked = broker.queue("q.parked") else { return false }
            return queue.ready == 0 && queue.unsettled == 0 && parked.ready > 0
        }
    }

    @Test func `what waits to be published when its connection is lost is not published behind its delivery`()
        async throws
    {
        try await withFailingWorker { broker, connection, _ in
            // Not those that come after the loss.
            broker.block("low on memory", broker.connections.first?.id)
            try await eventually("it is blocked") { connection.blockedReason != nil }
            broker.publish(Message(body: [1]), routingKey: "q")
            try await eventually("the way to its place is blocked") { connection.statistics.heldBackPublishers == 1 }
            broker.cut()
            try await allParked(broker)
            #expect(broker.queue("q.parked")?.ready == 1)
            #expect(connection.statistics.staleSettlements == 0)
        }
    }

    @Test func `what is lost on its way is published in place of the delivery that comes again, and of no other`()
        async throws
    {
        // Nothing is to be published again by the channel itself, whatever other channels do.
        try await withFailingWorker(unconfirmed: .resend) { broker, connection, _ in
            broker.inject(.cut, at: .publish(routingKey: "q.parked"))
            broker.publish(Message(body: [1]), routingKey: "q")
            try await allParked(broker)
            #expect(broker.queue("q.parked")?.ready == 1)
            #expect(connection.statistics.staleSettlements == 0)
        }
    }

    @Test func `what does not fit into a frame with what is noted on it is parked as it came`() async throws {
        var options = InProcessBroker.Options()
        options.frameMax = 8192
        let text = String(repeating: "e", count: 1000)
        try await withFailingWorker(options, RetryPolicy(attempts: 1, errorText: { _ in text })) { broker, _, _ in
            let headers: FieldTable = ["large": .string(String(repeating: "x", count: 7500))]
            broker.publish(Message(body: [1], headers: headers), routingKey: "q")
            try await allParked(broker)
            let parked = broker.messages(in: "q.parked").map(\.message)
            #expect(parked.map(\.headers) == [headers])
            #expect(parked.map(\.body) == [[1]])
        }
    }

    @Test func `what has headers that can't be sent is parked without any`() async throws {
        try await withFailingWorker { broker, _, _ in
            // Another client's: this one sends none that is not text.
            broker.publish(Message(body: [1], headers: ["x-stream-filter-value": 7], type: "t"), routingKey: "q")
            try await allParked(broker)
            let parked = broker.messages(in: "q.parked").map(\.message)
            #expect(parked.map(\.headers) == [nil])
            #expect(parked.map(\.type) == ["t"])
        }
    }

    @Test(arguments: ["queue.declare", "channel.open", "confirm.select", "basic.consume"])
    func `what it begins with goes on though the connection is lost meanwhile`(method: String) async throws {
        try await InProcessBroker.run { broker in
            var configuration = broker.configuration
            configuration.logger.logLevel = .critical
            try await Connection.withConnection(configuration) { connection in
                let queue = try await connection.openChannel().declareQueue("q")
                broker.inject(.cut, at: .method(method))
                let worker = Task {
                    try await queue.process(retrying: RetryPolicy(attempts: 1)) { _ in throw Failure() }
                }
                defer { worker.cancel() }
                broker.publish(Message(body: [1]), routingKey: "q")
                try await allParked(broker)
                #expect(connection.statistics.losses == 1)
                // Of a try to consume that was lost, nothing stays.
                try await eventually("one consumes") { broker.queue("q")?.consumers == 1 }
            }
        }
    }

    @Test(arguments: ["channel.open", "basic.qos", "basic.consume"])
    func `partitions are consumed though the connection is lost when they begin`(method: String) async throws {
        try await InProcessBroker.run { broker in
            var configuration = broker.configuration
            configuration.logger.logLevel = .critical
            try await Connection.withConnection(configuration) { connection in
                let partitions = Partitions("p", count: 3, hashing: .byPublisher)
                for partition in 0..<3 { try broker.declareQueue(partitions.queueName(partition)) }
                broker.inject(.cut, at: .method(method), skipping: 1)
                let seen = Collected<Int>()
                let worker = Task {
                    try await partitions.process(on: connection) { _, partition in seen.add(partition) }
                }
                defer { worker.cancel() }
                try await eventually("it was lost") { connection.statistics.losses == 1 }
                for partition in 0..<3 {
                    broker.publish(Message(body: [1]), routingKey: partitions.queueName(partition))
                }
                try await eventually("each is consumed") { Set(seen.all) == [0, 1, 2] }
            }
        }
    }

    @Test func `a message that comes again meanwhile is told of once, when it is parked`() async throws {
        let log = CapturedLog()
        try await InProcessBroker.run { broker in
            var configuration = broker.configuration
            configuration.logger = log.logger
            try await Connection.withConnection(configuration) { connection in
                let queue = try await connection.openChannel().declareQueue("q")
                let begun = Collected<Int>()
                let worker = Task {
                    try await queue.process(retrying: RetryPolicy(attempts: 1)) { message in
                        begun.add(1)
                        if begun.count == 1 {
                            broker.cut()
                            try await eventually("it is lost") { message.isStale }
                        }
                        throw Failure()
                    }
                }
                defer { worker.cancel() }
                broker.publish(Message(body: [1]), routingKey: "q")
                try await allParked(broker)
                #expect(begun.count == 2)
                #expect(log.entries(containing: "a message is parked").count == 1)
            }
        }
    }

    @Test(arguments: [false, true]) func `what may be in its place twice is told of, what can't be is not`(
        isStored: Bool
    ) async throws {
        let log = CapturedLog()
        try await withFailingWorker(log: log) { broker, _, _ in
            if isStored {
                broker.holdConfirms()
            } else {
                broker.inject(.returned(), at: .publish(routingKey: "q.parked"))
            }
            broker.publish(Message(body: [1]), routingKey: "q")
            if isStored {
                try await eventually("the broker has it") { broker.heldConfirms == 1 }
                // As where what holds the queue fails behind it.
                broker.releaseConfirms(nacks: true)
                broker.confirmAtOnce()
            }
            try await eventually("it is parked") {
                guard let waiting = broker.queue("q") else { return false }
                return waiting.ready == 0 && waiting.unsettled == 0
            }
            #expect(broker.queue("q.parked")?.ready == (isStored ? 2 : 1))
            #expect(log.entries(containing: "may be there twice").count == (isStored ? 1 : 0))
            #expect(log.entries(containing: "could not be published").count == (isStored ? 0 : 1))
        }
    }
}
