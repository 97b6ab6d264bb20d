import Logging
import RabbitMQ
import RabbitMQTesting
import TestSupport
import Testing

/// What becomes of messages that may be in two places, or have no place to go to.
@Suite("Retries that end in the middle", .timeLimit(.minutes(1))) struct RetryCopyTests {
    private struct Failure: Error {}

    @Test(arguments: [false, true])
    func `what goes back though the broker may have it in its next place is told of, once`(isCut: Bool) async throws {
        let log = CapturedLog()
        // As long as the confirm is waited for once the handler's task is cancelled.
        try await withFailingWorker(callTimeout: .seconds(2), log: log) { broker, connection, worker in
            broker.holdConfirms()
            broker.publish(Message(body: [1]), routingKey: "q")
            try await eventually("the broker has it in both") { broker.heldConfirms == 1 }
            if isCut {
                broker.cut()
                try await eventually("it is lost") { connection.statistics.losses == 1 }
                broker.confirmAtOnce()
                try await eventually("it is parked twice") {
                    guard let waiting = broker.queue("q") else { return false }
                    return waiting.ready == 0 && waiting.unsettled == 0 && broker.queue("q.parked")?.ready == 2
                }
            } else {
                worker.cancel()
                _ = await worker.result
                try await eventually("it has gone back") { broker.queue("q")?.ready == 1 }
                #expect(broker.queue("q.parked")?.ready == 1)
            }
            #expect(log.entries(containing: "may be there twice").count == 1)
        }
    }

    @Test func `what is to be tried again at once goes with its queue, and who processes it hears of that`()
        async throws
    {
        let log = CapturedLog()
        try await InProcessBroker.run { broker in
            var configuration = broker.configuration
            configuration.logger = log.logger
            try await Connection.withConnection(configuration) { connection in
                let queue = try await connection.openChannel().declareQueue("q")
                broker.publish(Message(body: [1]), routingKey: "q")
                let processing = Task {
                    try await queue.process(retrying: RetryPolicy(attempts: 5)) { _ in
                        broker.deleteQueue("q")
                        throw RetryDecision.retry(after: .zero)
                    }
                }
                defer { processing.cancel() }
                let end = try await within(.seconds(20), "its end") { await processing.result }
                #expect { try end.get() } throws: { ($0 as? AMQPError)?.code == .consumerCancelled }
                #expect(log.entries(containing: "its queue is gone").count == 1)
            }
        }
    }

    @Test func `a message that never has an outcome is parked before its queue would drop it`() async throws {
        try await InProcessBroker.run { broker in
            var configuration = broker.configuration
            configuration.logger.logLevel = .critical
            try await Connection.withConnection(configuration) { connection in
                let arguments = QueueArguments(type: .quorum, deliveryLimit: 2)
                let queue = try await connection.openChannel().declareQueue("q", arguments: arguments)
                let begun = Collected<Int>()
                let worker = Task {
                    try await queue.process(retrying: RetryPolicy()) { message in
                        begun.add(1)
                        // As if the process crashed.
                        broker.cut()
                        try await eventually("it is lost") { message.isStale }
                        throw Failure()
                    }
                }
                defer { worker.cancel() }
                broker.publish(Message(body: [1]), routingKey: "q")
                try await eventually("it is parked") { broker.queue("q.parked")?.ready == 1 }
                let parked = broker.messages(in: "q.parked").first?.message.parked
                #expect(parked?.errorText?.contains("without any outcome") == true)
                #expect(begun.count == 2)
            }
        }
    }

    @Test func `what could not be published yet holds nobody up who stops, and goes back`() async throws {
        try await withFailingWorker(publishTimeout: .seconds(40)) { broker, connection, worker in
            broker.block()
            try await eventually("it is blocked") { connection.blockedReason != nil }
            broker.publish(Message(body: [1]), routingKey: "q")
            try await eventually("the way to its place is blocked") { connection.statistics.heldBackPublishers == 1 }
            worker.cancel()
            // Not as long as the publish may take.
            _ = try await within(.seconds(20), "its end") { await worker.result }
            try await eventually("it has gone back") { broker.queue("q")?.ready == 1 }
            #expect(broker.queue("q.parked")?.ready == 0)
            broker.unblock()
        }
    }
}
