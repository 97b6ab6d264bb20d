import RabbitMQ
import TestSupport
import Testing

@Suite("Recovery of exchanges and bindings", .timeLimit(.minutes(2)))
struct ExchangeRecoveryTests {
    /// Has everything deleted that has these names while there is no connection.
    private func whileGone(
        _ client: RecoveringClient,
        _ other: Channel,
        exchanges: [Exchange] = [],
        queues: [Queue] = []
    ) async throws -> RecoveryReport {
        try await client.whileDown {
            for queue in queues { try await other.queue(queue.name).delete(ifUnused: false, ifEmpty: false) }
            for exchange in exchanges { try await other.exchange(exchange.name).delete(ifUnused: false) }
        }.1
    }

    @Test func `bindings between exchanges are there again, in any order of declaring`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let channel = try await client.connection.openChannel()
            let names = (0..<4).map { _ in scratch.exchange() }
            // Declared from the end, so that each is bound to one that was declared after it.
            var exchanges: [Exchange] = []
            for name in names { exchanges.append(try await channel.declareExchange(name, type: .topic)) }
            let queue = try await channel.declareQueue(scratch.queue())
            for (target, source) in zip(exchanges, exchanges.dropFirst()) {
                try await target.bind(to: source, routingKey: "a.#")
            }
            try await queue.bind(to: exchanges[0], routingKey: "#.z")
            let report = try await whileGone(client, other, exchanges: exchanges, queues: [queue])
            #expect(report.exchanges == 4 && report.queues == 1 && report.bindings == 4 && report.refused.isEmpty)
            for key in ["a.z", "a.y", "b.z"] {
                try await other.exchange(names[3]).publish(Message(key), routingKey: key, mandatory: false)
            }
            #expect(try await other.queue(queue.name).next().text() == "a.z")
            #expect(try await other.queue(queue.name).readyCount() == 0)
        }
    }

    @Test func `an exchange comes back with its alternate, whichever was declared first`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let channel = try await client.connection.openChannel()
            let alternate = scratch.exchange()
            let main = try await channel.declareExchange(
                scratch.exchange(),
                arguments: ExchangeArguments(alternateExchange: alternate)
            )
            let last = try await channel.declareExchange(alternate, type: .fanout)
            let queue = try await channel.declareQueue(scratch.queue())
            try await queue.bind(to: last)
            let report = try await whileGone(client, other, exchanges: [main, last])
            #expect(report.exchanges == 2 && report.refused.isEmpty)
            try await other.exchange(main.name).publish(Message("x"), routingKey: "nowhere", mandatory: true)
            #expect(try await other.queue(queue.name).next().text() == "x")
        }
    }

    @Test func `flags and arguments are as they were`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let channel = try await client.connection.openChannel()
            let hidden = try await channel.declareExchange(scratch.exchange(), type: .headers, internal: true)
            let open = try await channel.declareExchange(scratch.exchange(), type: .fanout)
            try await hidden.bind(to: open)
            let queue = try await channel.declareQueue(scratch.queue(), arguments: QueueArguments(maxLength: 1))
            try await queue.bind(to: hidden, arguments: .headers(.any, ["colour": "red", "size": 7]))
            let report = try await whileGone(client, other, exchanges: [hidden, open], queues: [queue])
            #expect(report.refused.isEmpty)
            // The broker compares them.
            try await other.declareExchange(hidden.name, type: .headers, internal: true)
            try await other.declareQueue(queue.name, arguments: QueueArguments(maxLength: 1))
            for headers: FieldTable in [["colour": "red"], ["size": 7], ["colour": "blue"]] {
                try await other.exchange(open.name).publish(
                    Message(body: [1], headers: headers),
                    routingKey: "",
                    mandatory: false
                )
            }
            try await eventually("the latest that matched is there") {
                let found = try await other.queue(queue.name).get(noAck: true)
                return found?.headers?["size"] == 7
            }
        }
    }

    @Test func `bindings of exchanges that every broker has come back, and passive declarations are not made`()
        async throws
    {
        try await RecoveringClient.use { client, scratch, other in
            let (exchangeName, queueName) = (scratch.exchange(), scratch.queue())
            try await other.declareExchange(exchangeName)
            try await other.declareQueue(queueName)
            let channel = try await client.connection.openChannel()
            let looked = try await channel.declareExchange(exchangeName, passive: true)
            let found = try await channel.declareQueue(queueName, passive: true)
            let queue = try await channel.declareQueue(scratch.queue())
            let key = TestBroker.uniqueName("key")
            try await queue.bind(to: channel.topicExchange, routingKey: key)
            let report = try await whileGone(client, other, exchanges: [looked], queues: [found, queue])
            #expect(report.exchanges == 0 && report.queues == 1 && report.bindings == 1 && report.refused.isEmpty)
            #expect(try await !other.hasExchange(exchangeName))
            #expect(try await !other.hasQueue(queueName))
            try await other.topicExchange.publish(Message("x"), routingKey: key, mandatory: true)
            #expect(try await other.queue(queue.name).next().text() == "x")
        }
    }
}
