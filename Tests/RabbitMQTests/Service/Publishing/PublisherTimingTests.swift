import TestSupport
import Testing

@testable import RabbitMQ

@Suite("How long a publisher takes", .timeLimit(.minutes(1)))
struct PublisherTimingTests {
    private final class Meter: DurationMeter {
        let told = Collected<String>()
        /// The exchanges for which it was asked.
        let asked = Collected<String>()

        func publishing(to exchange: String) -> DurationRecorder {
            asked.add(exchange)
            return DurationRecorder { [told] _, error in
                told.add("\(exchange) \((error as? AMQPError)?.code.description ?? "")")
            }
        }

        func processing(of queue: String) -> DurationRecorder { DurationRecorder { _, _ in } }
    }

    @Test func `what takes it is looked up once for an exchange, and for a publisher's first one`() async throws {
        let meter = Meter()
        try await ScriptedClient.run([], { $0.meter = meter }) { client in
            try await client.channel.selectConfirms()
            let exchange = try client.channel.exchange("a")
            for _ in 1...3 { try await exchange.publishConfirmed(Message(body: [1]), routingKey: "q") }
            #expect(meter.asked.all == ["a"])
            let publisher = try await client.connection.openPublisher()
            for name in ["b", "b", "c", "b"] {
                try await publisher.publish(Message(body: [1]), to: name, routingKey: "q")
            }
            #expect(meter.asked.all == ["a", "b", "c"])
            #expect(meter.told.all == ["a ", "a ", "a ", "b ", "b ", "c ", "b "])
        }
    }

    @Test func `is told of each message that it waits for, and of none that was not handed over`() async throws {
        let meter = Meter()
        try await ScriptedClient.run([], { $0.meter = meter }) { client in
            let publisher = try await client.connection.openPublisher()
            try await publisher.publish(Message(body: [1]), to: "one", routingKey: "q")
            #expect(meter.told.all == ["one "])
            var messages = [Message(body: [2]), Message(body: [3]), Message(body: [4])]
            messages[1].headers = [String(repeating: "x", count: 300): 1]
            let outcomes = await publisher.publish(contentsOf: messages, to: "many", routingKey: "q")
            #expect(outcomes.count == 3)
            // The one that can't be sent is told of when that is known; nobody has tried the one behind it.
            #expect(meter.told.all == ["one ", "many invalidMessage", "many "])
            // Who does not wait takes no time.
            let receipt = try await publisher.send(Message(body: [5]), to: "none", routingKey: "q")
            try await receipt.confirmed()
            #expect(meter.told.count == 3)
        }
    }
}
