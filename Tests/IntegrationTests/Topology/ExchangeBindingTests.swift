import RabbitMQ
import TestSupport
import Testing

@Suite("Bindings between exchanges, and handles without declaring")
struct ExchangeBindingTests {
    @Test("what is published to the source reaches the destination's queues, until unbound", arguments: [false, true])
    func exchangeToExchange(noWait: Bool) async throws {
        try await Scratch.use { scratch, _, channel in
            let source = try await channel.declareExchange(scratch.exchange(), type: .topic)
            let destination = try await channel.declareExchange(scratch.exchange(), type: .fanout)
            let queue = try await channel.declareQueue(exclusive: true)
            try await queue.bind(to: destination, routingKey: "", noWait: noWait)
            let binding = try await destination.bind(to: source, routingKey: "eu.#", noWait: noWait)
            #expect(binding.source === source)
            #expect(binding.destination === destination)
            try await source.publish(Message("1"), routingKey: "eu.paris")
            try await source.publish(Message("2"), routingKey: "us.paris", mandatory: false)
            #expect(try await queue.next().message.text() == "1")
            #expect(try await queue.get() == nil)

            try await binding.unbind(noWait: noWait)
            try await source.publish(Message("3"), routingKey: "eu.paris", mandatory: false)
            #expect(try await queue.readyCount() == 0)
            await expectError(.deleted) { try await binding.unbind() }
        }
    }

    @Test("the default exchange and deleted ones are refused before anything is sent")
    func localChecks() async throws {
        try await Scratch.use { scratch, _, channel in
            let one = try await channel.declareExchange(scratch.exchange())
            let other = try await channel.declareExchange(scratch.exchange())
            for (destination, source) in [(one, channel.defaultExchange), (channel.defaultExchange, one)] {
                await expectError(.invalidExchangeName) {
                    try await destination.bind(to: source, routingKey: "")
                }
            }
            let binding = try await other.bind(to: one, routingKey: "")
            try await other.delete(ifUnused: false)
            await expectError(.deleted) { try await binding.unbind() }
            await expectError(.deleted) { try await other.bind(to: one, routingKey: "") }
            await expectError(.deleted) { try await one.bind(to: other, routingKey: "") }
            #expect(channel.closeReason == nil)
        }
    }

    @Test("a binding to a missing exchange is a 404")
    func missing() async throws {
        try await Scratch.use { scratch, _, channel in
            let one = try await channel.declareExchange(scratch.exchange())
            let ghost = try channel.exchange(scratch.exchange())
            await expectError(.notFound) { try await one.bind(to: ghost, routingKey: "") }
        }
    }

    @Test("every broker's own exchanges need no declaration")
    func predeclared() async throws {
        try await TestBroker.withChannel { _, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            let key = queue.name
            let handles = [
                channel.directExchange, channel.topicExchange, channel.fanoutExchange,
                try channel.exchange("amq.topic", type: .topic),
            ]
            for (number, exchange) in handles.enumerated() {
                let binding = try await queue.bind(to: exchange, routingKey: key)
                try await exchange.publish(Message("\(number)"), routingKey: key)
                #expect(try await queue.next().message.text() == "\(number)")
                try await binding.unbind()
            }
            try await queue.bind(to: channel.headersExchange, routingKey: "", arguments: ["to": .string(key)])
            try await channel.headersExchange.publish(Message("h", headers: ["to": .string(key)]), routingKey: "")
            #expect(try await queue.next().message.text() == "h")
            try await channel.defaultExchange.publish(Message("d"), routingKey: key)
            #expect(try await queue.next().message.text() == "d")
        }
    }

    @Test("a handle of a queue that exists is used as one that was declared")
    func existingQueue() async throws {
        try await Scratch.use { scratch, connection, channel in
            let name = scratch.queue()
            try await channel.declareQueue(name)
            try await channel.send("1", to: name)
            try await channel.send("2", to: name)
            let handle = try await connection.openChannel().queue(name)
            #expect(try await handle.next().message.text() == "1")
            try await eventually("the other message to be there") { try await handle.readyCount() == 1 }
            #expect(try await handle.purge() == 1)
            try await channel.send("3", to: name)
            try await eventually("the message to be there") { try await handle.readyCount() == 1 }
            #expect(try await handle.delete(ifEmpty: false) == 1)
        }
    }

    @Test("what can't be a name is refused")
    func names() async throws {
        try await TestBroker.withChannel { _, channel in
            let long = String(repeating: "n", count: 256)
            await expectError(.invalidName) { try channel.queue("") }
            await expectError(.invalidName) { try channel.queue(long) }
            await expectError(.invalidExchangeName) { try channel.exchange(long) }
            let (exchange, queue) = (try channel.exchange(""), try channel.queue("with space"))
            #expect(exchange.name == "")
            // Other clients may have made such a name.
            #expect(queue.name == "with space")
        }
    }

    @Test("deleting without waiting deletes, and an error closes the channel later")
    func deleteNoWait() async throws {
        try await Scratch.use { scratch, connection, channel in
            let queue = try await channel.declareQueue(scratch.queue())
            let exchange = try await channel.declareExchange(scratch.exchange())
            #expect(try await queue.delete(noWait: true) == 0)
            try await exchange.delete(noWait: true)
            await expectError(.deleted) { try await queue.purge() }
            await expectError(.deleted) { try await exchange.delete() }
            await expectError(.notFound) {
                try await connection.withChannel { try await $0.declareQueue(queue.name, passive: true) }
            }

            let full = try await channel.declareQueue(scratch.queue())
            try await channel.send("1", to: full.name)
            try await full.delete(ifEmpty: true, noWait: true)
            try await eventually("the channel to be closed") { channel.closeReason?.code == .preconditionFailed }
        }
    }
}
