import RabbitMQ
import RabbitMQTesting
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct ClockTests {
    private static var standing: InProcessBroker.Options {
        var options = InProcessBroker.Options()
        options.clockRuns = false
        return options
    }

    @Test func `messages expire when the clock is moved, and not before`() async throws {
        try await InProcessBroker.run(Self.standing) { broker in
            try broker.declareQueue("dead")
            let arguments = QueueArguments(
                messageTTL: .seconds(3600),
                deadLetterExchange: "",
                deadLetterRoutingKey: "dead"
            )
            try broker.declareQueue("q", arguments: arguments)
            broker.publish(try Message("1"), routingKey: "q")
            broker.advance(by: .seconds(3599))
            broker.publish(try Message("2"), routingKey: "q")
            #expect(broker.queue("q")?.ready == 2)
            broker.advance(by: .seconds(1))
            #expect(broker.queue("q")?.ready == 1)
            let death = try #require(broker.messages(in: "dead").first?.message.deaths.first)
            #expect(death.queue == "q" && death.reason == .expired)
            broker.advance(by: .seconds(3600))
            #expect(broker.messages(in: "dead").map(\.message.words) == ["1", "2"])
        }
    }

    @Test func `a queue expires once nobody has used it for long enough`() async throws {
        try await InProcessBroker.run(Self.standing) { broker in
            try broker.declareQueue("q", arguments: QueueArguments(expires: .seconds(60)))
            broker.advance(by: .seconds(59))
            try await Connection.withConnection(broker.configuration) { connection in
                let channel = try await connection.openChannel()
                let deliveries = try await channel.queue("q").consume()
                broker.advance(by: .seconds(600))
                #expect(broker.queue("q") != nil)
                try await deliveries.consumer.cancel()
            }
            broker.advance(by: .seconds(59))
            #expect(broker.queue("q") != nil)
            broker.advance(by: .seconds(1))
            #expect(broker.queue("q") == nil)
        }
    }

    @Test func `danger: a clock that is moved without end stays at a time that can be counted with`() async throws {
        try await InProcessBroker.run { broker in
            try broker.declareQueue("dead")
            let arguments = QueueArguments(
                messageTTL: .seconds(60),
                deadLetterExchange: "",
                deadLetterRoutingKey: "dead"
            )
            try broker.declareQueue("q", arguments: arguments)
            for count in 1...20 {
                broker.publish(try Message("1"), routingKey: "q")
                broker.advance(by: .seconds(Int64.max))
                // At the end of time nothing expires any more by moving on.
                #expect(broker.queue("dead").map { $0.ready >= 1 && $0.ready <= count } == true)
            }
        }
    }

    @Test func `a clock that runs can be moved as well, and stopped`() async throws {
        try await InProcessBroker.run { broker in
            try broker.declareQueue("q", arguments: QueueArguments(messageTTL: .seconds(60)))
            broker.publish(try Message("1"), routingKey: "q")
            broker.stopClock()
            broker.advance(by: .seconds(59))
            #expect(broker.queue("q")?.ready == 1)
            broker.runClock()
            try await broker.wait { $0.queue("q")?.ready == 0 }
        }
    }
}
