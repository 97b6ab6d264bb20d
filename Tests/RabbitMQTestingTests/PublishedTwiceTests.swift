import Logging
import RabbitMQ
import RabbitMQTesting
import TestSupport
import Testing

/// What a closed channel has left without an answer is published again, and may be with the broker already.
@Suite("A message that was published twice", .timeLimit(.minutes(1))) struct PublishedTwiceTests {
    @Test(arguments: [false, true])
    func `may be with the broker, though that refuses the second one`(isInBatch: Bool) async throws {
        try await InProcessBroker.run { broker in
            var configuration = broker.configuration
            configuration.logger.logLevel = .critical
            try broker.declareQueue("q")
            try await Connection.withConnection(configuration) { connection in
                let publisher = try await connection.openPublisher()
                broker.holdConfirms()
                let publishing = Task {
                    guard isInBatch else { return try await publisher.publish(Message(body: [1]), routingKey: "q") }
                    let outcomes = await publisher.publish(contentsOf: [Message(body: [1])], routingKey: "q")
                    for outcome in outcomes { try outcome.get() }
                }
                try await eventually("the broker has it") { broker.heldConfirms == 1 }
                broker.inject(.nack, at: .publish(routingKey: "q"))
                broker.closeChannels(.accessRefused)
                broker.confirmAtOnce()
                let error = try await thrownError { try await publishing.value }
                #expect(error.code == .outcomeUnknown)
                #expect(broker.queue("q")?.ready == 1)
                await publisher.close()
            }
        }
    }

    @Test func `was refused, though nothing could be sent the second time`() async throws {
        try await InProcessBroker.run { broker in
            var configuration = broker.configuration
            configuration.logger.logLevel = .critical
            try broker.declareQueue("q")
            try await Connection.withConnection(configuration) { connection in
                var options = Publisher.Options()
                options.nackedAgain = 1
                let publisher = try await connection.openPublisher(options)
                broker.holdConfirms()
                let publishing = Task {
                    try await publisher.publish(Message(body: [1]), routingKey: "q", timeout: .seconds(3))
                }
                try await eventually("the broker has it") { broker.heldConfirms == 1 }
                broker.block()
                try await eventually("it is blocked") { connection.blockedReason != nil }
                broker.releaseConfirms(nacks: true)
                // Not that nothing was sent: of several queues some may have it.
                let error = try await thrownError { try await publishing.value }
                #expect(error.code == .nacked)
                broker.unblock()
                broker.confirmAtOnce()
                await publisher.close()
            }
        }
    }
}
