import RabbitMQ
import RabbitMQTesting
import TestSupport
import Testing

@Suite("rmq with a broker in the test's process", .needsTool, .timeLimit(.minutes(1)))
struct TransferToolTests {
    @Test func `numbers for which JSON has no words are written all the same`() async throws {
        try await InProcessBroker.run { broker in
            try broker.declareQueue("q")
            let headers: FieldTable = ["d": .double(.nan), "f": .float(-.infinity), "in": ["d": .double(.infinity)]]
            broker.publish(Message(body: [], headers: headers), routingKey: "q")
            let outcome = try await ToolProcess.run(
                ["get", "q", "--json"],
                environment: ["RABBITMQ_URI": broker.uri]
            )
            #expect(outcome.status == 0, "\(outcome)")
            #expect(outcome.output.contains(#""d":{"$double":"nan"}"#), "\(outcome)")
            #expect(outcome.output.contains(#""in":{"d":{"$double":"inf"}}"#), "\(outcome)")
        }
    }

    @Test func `a name in JSON does nothing to a terminal, and stays what it is`() async throws {
        try await InProcessBroker.run { broker in
            let name = "q\u{7F}\u{9B}2J\u{202E}é"
            try broker.declareQueue(name)
            broker.publish(Message(body: [], headers: [name: .string(name)]), routingKey: name)
            for command in [["queue", "list", name, "--json"], ["get", name, "--json"]] {
                let outcome = try await ToolProcess.run(command, environment: ["RABBITMQ_URI": broker.uri])
                #expect(outcome.status == 0, "\(outcome)")
                #expect(outcome.output.contains(#""q\u007f\u009b2J\u202eé""#), "\(outcome)")
                #expect(!outcome.output.unicodeScalars.contains { $0.properties.isBidiControl }, "\(outcome)")
            }
        }
    }

    @Test func `a message that can't be sent stays, and those behind it are moved`() async throws {
        try await InProcessBroker.run { broker in
            try broker.declareQueue("from")
            try broker.declareQueue("to")
            broker.publish(try Message("1"), routingKey: "from")
            // A broker that knows no streams takes it, and the library does not send it.
            broker.publish(try Message("2", headers: ["x-stream-filter-value": 7]), routingKey: "from")
            broker.publish(try Message("3"), routingKey: "from")
            let outcome = try await ToolProcess.run(["move", "from", "to"], environment: ["RABBITMQ_URI": broker.uri])
            #expect(outcome.status == 1, "\(outcome)")
            #expect(outcome.output.contains("moved 2\n"), "\(outcome)")
            #expect(outcome.output.contains("\n1 stay: "), "\(outcome)")
            #expect(broker.messages(in: "to").map(\.message.words) == ["1", "3"])
            #expect(broker.messages(in: "from").map(\.message.words) == ["2"])
        }
    }

    @Test func `what is too large for the other broker stays, and what is behind it is moved, once`() async throws {
        var options = InProcessBroker.Options()
        options.maxMessageSize = 1000
        try await InProcessBroker.run(options) { other in
            try other.declareQueue("to")
            try await InProcessBroker.run { broker in
                try broker.declareQueue("from")
                for size in [0, 10, 5, 1001, 20, 2000, 1000, 30] {
                    broker.publish(Message(body: [UInt8](repeating: 1, count: size)), routingKey: "from")
                }
                let outcome = try await ToolProcess.run(
                    ["move", "from", "to", "--to-uri", other.uri],
                    environment: ["RABBITMQ_URI": broker.uri]
                )
                #expect(outcome.status == 1, "\(outcome)")
                #expect(outcome.output.contains("moved 6\n"), "\(outcome)")
                #expect(outcome.output.contains("\n2 stay: larger than the broker takes"), "\(outcome)")
                #expect(other.messages(in: "to").map(\.message.body.count) == [0, 10, 5, 20, 1000, 30])
                #expect(broker.messages(in: "from").map(\.message.body.count) == [1001, 2000])
            }
        }
    }
}
