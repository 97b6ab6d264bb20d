import Foundation
import RabbitMQ
import TestSupport
import Testing

@Suite("rmq queue, exchange, binding and topology", .needsTool, .timeLimit(.minutes(3)))
struct EntitiesToolTests {
    @discardableResult
    private func rmq(_ arguments: String..., input: String? = nil, status: Int32 = 0) async throws
        -> ToolProcess.Outcome
    {
        let outcome = try await ToolProcess.run(arguments, input: input)
        #expect(outcome.hasExited && outcome.status == status, "\(arguments): \(outcome)")
        return outcome
    }

    @Test("declare, bind, list, unbind, purge and delete")
    func life() async throws {
        try await Scratch.use { scratch, _, channel in
            let (queue, exchange, other) = (scratch.queue(), scratch.exchange(), scratch.exchange())
            try await rmq(
                "queue",
                "declare",
                queue,
                "--type",
                "quorum",
                "--max-length",
                "9",
                "--message-ttl",
                "1h",
                "--dead-letter-exchange",
                "",
                "--dead-letter-routing-key",
                "dead",
                "-a",
                "x-quorum-initial-group-size:=1"
            )
            let declared = QueueArguments(
                type: .quorum,
                maxLength: 9,
                messageTTL: .seconds(3600),
                deadLetterExchange: "",
                deadLetterRoutingKey: "dead",
                initialGroupSize: 1
            )
            try await channel.declareQueue(queue, arguments: declared)
            let otherwise = try await rmq("queue", "declare", queue, "--type", "classic", status: 1)
            #expect(otherwise.error.contains("inequivalent arg"), "\(otherwise)")
            try await rmq("exchange", "declare", exchange, "--type", "topic")
            try await rmq("exchange", "declare", other, "--type", "fanout")
            try await rmq("binding", "declare", exchange, "--queue", queue, "--routing-key", "a.#")
            try await rmq("binding", "declare", other, "--exchange", exchange)
            let sent = try await rmq("publish", "--exchange", other, "--routing-key", "a.b", "x")
            #expect(sent.output == "1 published, 1 confirmed\n")
            try await eventually("the message") { try await rmq("queue", "list", queue).output == "1\t0\t\(queue)\n" }
            let missing = try await rmq("queue", "list", queue, "test.nowhere", "--json", status: 1)
            #expect(missing.output.contains(#"{"problem":"does not exist","queue":"test.nowhere"}"#), "\(missing)")
            let exchanges = try await rmq("exchange", "list", exchange, "test.nowhere", status: 1)
            #expect(exchanges.output == "exists\t\(exchange)\nmissing\ttest.nowhere\n")
            #expect(try await rmq("queue", "purge", queue).output == "1\n")
            try await rmq("binding", "delete", exchange, "--queue", queue, "--routing-key", "a.#")
            try await rmq("publish", "--exchange", other, "--routing-key", "a.b", "x", status: 1)
            try await rmq("binding", "delete", other, "--exchange", exchange)
            try await rmq("queue", "delete", queue)
            try await rmq("exchange", "delete", exchange, other)
            try await rmq("exchange", "list", exchange, status: 1)
        }
    }

    @Test("what was done is told as a JSON object a line")
    func told() async throws {
        try await Scratch.use { scratch, _, channel in
            let (queue, exchange) = (scratch.queue(), scratch.exchange())
            func told(_ arguments: String..., as line: String) async throws {
                let outcome = try await ToolProcess.run(arguments + ["--json"])
                #expect(outcome.hasExited && outcome.status == 0 && outcome.output == line + "\n", "\(outcome)")
                #expect(outcome.error.isEmpty, "\(outcome)")
            }
            let declared = #"{"consumers":0,"done":"declared","messages":0,"queue":"\#(queue)"}"#
            try await told("queue", "declare", queue, as: declared)
            let made = #"{"done":"declared","exchange":"\#(exchange)","type":"topic"}"#
            try await told("exchange", "declare", exchange, "--type", "topic", as: made)
            let ends = #""queue":"\#(queue)","routing_key":"a.#","source":"\#(exchange)"}"#
            for (verb, done) in [("declare", "bound"), ("delete", "unbound")] {
                let line = #"{"done":"\#(done)",\#(ends)"#
                try await told("binding", verb, exchange, "--queue", queue, "-k", "a.#", as: line)
            }
            try await channel.selectConfirms()
            for (verb, done) in [("purge", "purged"), ("delete", "deleted")] {
                try await channel.defaultExchange.publish(Message("x"), routingKey: queue).confirmed()
                try await told("queue", verb, queue, as: #"{"done":"\#(done)","messages":1,"queue":"\#(queue)"}"#)
            }
            try await told("exchange", "delete", exchange, as: #"{"done":"deleted","exchange":"\#(exchange)"}"#)
        }
    }

    @Test("topology plan, apply and export, in YAML and JSON")
    func topology() async throws {
        try await Scratch.use { scratch, _, channel in
            let (queue, exchange) = (scratch.queue(), scratch.exchange())
            let yaml = """
                exchanges:
                  - name: \(exchange)
                    type: topic
                queues:
                  - name: \(queue)
                    arguments:
                      x-queue-type: quorum
                      x-delivery-limit: 5
                      x-dead-letter-exchange: ''
                      x-dead-letter-routing-key: "17"
                bindings:
                  - {source: \(exchange), queue: \(queue), routingKey: 'eu.#'}
                """
            let lacking = try await rmq("topology", "plan", "-", input: yaml, status: 2)
            #expect(lacking.output.contains("missing: the queue \(queue)\n"), "\(lacking)")
            let made = try await rmq("topology", "apply", "-", input: yaml)
            #expect(made.output.contains("made: the exchange \(exchange)\n"), "\(made)")
            let full = try await rmq("topology", "plan", "-", "--json", input: yaml)
            #expect(full.output.contains(#""is_complete":true"#), "\(full)")
            try await channel.declareQueue(
                queue,
                arguments: QueueArguments(
                    type: .quorum,
                    deadLetterExchange: "",
                    deadLetterRoutingKey: "17",
                    deliveryLimit: 5
                )
            )
            // YAML to JSON and back says the same.
            let json = try await rmq("topology", "export", "-", "--json", input: yaml)
            let again = try await rmq("topology", "export", "-", input: json.output)
            let back = try await rmq("topology", "export", "-", "--json", input: again.output)
            #expect(back.output == json.output)
            #expect(json.output.contains(#""x-dead-letter-routing-key" : "17""#), "\(json)")
            let other = yaml.replacing("topic", with: "fanout")
            let conflict = try await rmq("topology", "apply", "-", input: other, status: 1)
            #expect(conflict.error.contains("topologyConflict"), "\(conflict)")
            let bad = try await rmq("topology", "plan", "-", input: "queues: [{durable: true}]", status: 1)
            #expect(bad.error.contains(".queues[0] lacks 'name'"), "\(bad)")
            let worse = try await rmq("topology", "plan", "-", input: "queues: [", status: 1)
            #expect(worse.error.contains("-: "), "\(worse)")
        }
    }

    @Test("a key of a topology's file that nobody reads is an error, and nothing is made")
    func unknownKeys() async throws {
        try await Scratch.use { scratch, _, channel in
            let (queue, exchange) = (scratch.queue(), scratch.exchange())
            // As RabbitMQ's definitions call it: the queue would be bound by an empty key.
            let yaml = """
                x-common: &common {x-queue-type: quorum}
                exchanges: [{name: \(exchange), type: topic}]
                queues: [{name: \(queue), arguments: *common}]
                bindings: [{source: \(exchange), queue: \(queue), routing_key: 'eu.#'}]
                """
            let refused = try await rmq("topology", "apply", "-", input: yaml, status: 1)
            #expect(refused.error.contains(".bindings[0] has 'routing_key'; it may have source, "), "\(refused)")
            let mended = yaml.replacing("routing_key", with: "routingKey")
            try await rmq("topology", "plan", "-", input: mended, status: 2)
            try await rmq("topology", "apply", "-", input: mended)
            try await channel.declareQueue(queue, arguments: QueueArguments(type: .quorum))
            let definitions = #"{"rabbit_version": "4.1.0", "queues": [{"name": "q", "vhost": "/"}]}"#
            let others = try await rmq("topology", "plan", "-", input: definitions, status: 1)
            #expect(others.error.contains("- has 'rabbit_version'; it may have exchanges, "), "\(others)")
            #expect(others.error.contains("rmq topology export --definitions"), "\(others)")
        }
    }

    @Test("topology export reads the definitions of rabbitmqctl", .needsRabbitmqctl)
    func definitions() async throws {
        try await Scratch.use { scratch, _, channel in
            let exchange = try await channel.declareExchange(scratch.exchange(), type: .headers)
            let queue = try await channel.declareQueue(scratch.queue(), arguments: QueueArguments(maxLength: 7))
            try await queue.bind(to: exchange, routingKey: "k", arguments: BindingArguments.headers(.any, ["a": 1]))
            let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).json").path
            defer { try? FileManager.default.removeItem(atPath: file) }
            try await Subprocess.rabbitmqctl("export_definitions", file)
            let exported = try await rmq("topology", "export", "--definitions", file, "--json")
            let topology = try JSONDecoder().decode(Topology.self, from: Data(exported.output.utf8))
            // Later brokers name its type too.
            #expect(topology.queues.contains { $0.name == queue.name && $0.arguments.maxLength == 7 })
            #expect(topology.exchanges.contains(Topology.Exchange(exchange.name, type: .headers)))
            #expect(
                topology.bindings.contains {
                    $0.source == exchange.name && $0.routingKey == "k" && $0.arguments.match == .any
                }
            )
        }
    }
}
