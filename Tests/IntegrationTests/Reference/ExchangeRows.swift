import RabbitMQ
import TestSupport
import Testing

@Suite("Reference: exchanges", .timeLimit(.minutes(1)))
struct ExchangeRows {
    @Test("row 9: the empty name gives the default exchange with no network traffic")
    func defaultExchange() async throws {
        try await TestBroker.withChannel { connection, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            let exchange = try await channel.declareExchange("")
            try await exchange.publishNumbers(0..<1, to: queue)
            let message = try await queue.get()
            #expect(message?.exchangeName == "")
            await channel.close()
            // Nothing can be sent on this channel any more.
            #expect(try await channel.declareExchange("").name == "")
        }
    }

    @Test(
        "row 9: a bad name is refused before anything is sent",
        arguments: [
            "amq.mine", "a\u{0}b", "line\n", "return\r", String(repeating: "x", count: 256),
            String(repeating: "é", count: 128),
        ]
    )
    func badName(_ name: String) async throws {
        try await TestBroker.withChannel { _, channel in
            await expectError(.invalidExchangeName) { try await channel.declareExchange(name) }
            #expect(channel.closeReason == nil)
            let queue = try await channel.declareQueue(exclusive: true)
            #expect(!queue.name.isEmpty)
        }
    }

    @Test("row 9: names of any characters are good, up to 255 bytes", arguments: ForeignNames.all)
    func goodNames(_ name: String) async throws {
        try await TestBroker.withChannel { _, channel in
            let unique = TestBroker.uniqueName(name)
            for name in [unique, unique + String(repeating: "y", count: 255 - unique.utf8.count)] {
                let exchange = try await channel.declareExchange(name, type: .fanout, durable: false)
                #expect(exchange.name == name)
                #expect(try await channel.declareExchange(name, type: .fanout, passive: true).name == name)
                let queue = try await channel.declareQueue(exclusive: true)
                let binding = try await queue.bind(to: exchange, routingKey: "")
                try await exchange.publish(Message(body: [1]), routingKey: "")
                #expect(try await queue.get(noAck: true)?.exchangeName == name)
                try await binding.unbind()
                try await exchange.delete()
            }
        }
    }

    @Test("row 9: passive finds what exists, those of the broker too, and fails with notFound")
    func passive() async throws {
        try await TestBroker.withConnection { connection in
            let channel = try await connection.openChannel()
            let name = TestBroker.uniqueName("passive")
            let exchange = try await channel.declareExchange(name, type: .topic, autoDelete: true)
            #expect(try await channel.declareExchange(name, type: .topic, passive: true).name == name)
            #expect(try await channel.declareExchange("amq.topic", type: .topic, passive: true).name == "amq.topic")
            try await exchange.delete()
            let error = await expectError(.notFound) { try await channel.declareExchange(name, passive: true) }
            #expect(error?.replyText?.contains(name) == true)
            #expect(channel.closeReason?.code == .notFound)
        }
    }

    @Test("row 9: with noWait nobody waits; it takes effect before the next call, and an error closes the channel")
    func noWait() async throws {
        try await TestBroker.withConnection { connection in
            let channel = try await connection.openChannel()
            let name = TestBroker.uniqueName("nowait")
            let exchange = try await channel.declareExchange(name, type: .fanout, durable: false, noWait: true)
            _ = try await channel.declareExchange(name, type: .fanout, durable: false, passive: true)
            try await exchange.delete()
            _ = try await channel.declareExchange(name, passive: true, noWait: true)
            await expectError(.notFound) { try await channel.declareQueue(exclusive: true) }
        }
    }

    @Test("row 9: arguments reach the broker: an alternate exchange gets what is unroutable")
    func arguments() async throws {
        try await TestBroker.withConnection { connection in
            try await connection.withChannel { channel in
                let other = try await channel.declareExchange(
                    TestBroker.uniqueName("alternate"),
                    type: .fanout,
                    autoDelete: true
                )
                let queue = try await channel.declareQueue(exclusive: true)
                try await queue.bind(to: other, routingKey: "")
                let exchange = try await channel.declareExchange(
                    TestBroker.uniqueName("main"),
                    autoDelete: true,
                    arguments: ["alternate-exchange": .string(other.name)]
                )
                try await exchange.publish(Message(body: [1]), routingKey: "nowhere")
                #expect(try await queue.get(noAck: true)?.body == [1])
                try await exchange.delete()
            }
        }
    }

    @Test("row 9: an exchange declared again with other flags is a failed precondition")
    func redeclared() async throws {
        try await TestBroker.withConnection { connection in
            let channel = try await connection.openChannel()
            let name = TestBroker.uniqueName("flags")
            _ = try await channel.declareExchange(name, durable: false)
            let error = await expectError(.preconditionFailed) {
                try await channel.declareExchange(name, durable: true)
            }
            #expect(error?.method?.name == "exchange.declare")
            try await connection.withChannel {
                try await $0.declareExchange(name, durable: false).delete()
            }
        }
    }

    @Test("row 22: an exchange knows its name, type and flags, and routes by its type")
    func types() async throws {
        try await TestBroker.withChannel { _, channel in
            let plain = try await channel.declareExchange(
                TestBroker.uniqueName("direct"),
                durable: false,
                autoDelete: true
            )
            #expect(plain.type == .direct)
            #expect(plain.durable == false)
            #expect(plain.autoDelete)
            #expect(plain.internal == false)
            try await plain.delete()

            let topic = try await channel.declareExchange(TestBroker.uniqueName("topic"), type: .topic)
            #expect(topic.durable)
            #expect(!topic.autoDelete)
            let queue = try await channel.declareQueue(exclusive: true)
            try await queue.bind(to: topic, routingKey: "a.*")
            for key in ["a.b", "a.b.c", "b"] {
                try await topic.publish(Message(body: Array(key.utf8)), routingKey: key, mandatory: false)
            }
            #expect(try await queue.get(noAck: true)?.routingKey == "a.b")
            #expect(try await queue.get(noAck: true) == nil)
            try await topic.delete(ifUnused: false)

            let fanout = try await channel.declareExchange(
                TestBroker.uniqueName("fanout"),
                type: .fanout,
                autoDelete: true
            )
            try await queue.bind(to: fanout, routingKey: "any")
            try await fanout.publish(Message(body: []), routingKey: "other")
            #expect(try await queue.get(noAck: true)?.exchangeName == fanout.name)
            let hidden = try await channel.declareExchange(TestBroker.uniqueName("hidden"), internal: true)
            #expect(hidden.internal)
            try await hidden.delete()
        }
    }

    @Test("row 23: publishing to an unknown exchange closes the channel with 404, seen by later publishes too")
    func unknownExchange() async throws {
        try await TestBroker.withConnection { connection in
            let channel = try await connection.openChannel()
            let name = TestBroker.uniqueName("gone")
            let exchange = try await channel.declareExchange(name, durable: false)
            try await connection.withChannel { try await $0.declareExchange(name, durable: false).delete() }
            try await exchange.publish(Message(body: []), routingKey: "x")
            let error = await expectError(.notFound) { try await channel.declareQueue(exclusive: true) }
            #expect(error?.method?.name == "basic.publish")
            #expect(error?.replyText?.contains(name) == true)
            await expectError(.notFound) { try await exchange.publish(Message(body: []), routingKey: "x") }
        }
    }

    @Test("row 23: bodies are split at frame_max - 8; empty ones and exact multiples work", arguments: [4096, 131_072])
    func splitBodies(_ wanted: Int) async throws {
        // Below this RabbitMQ 4.1 and later refuse the connection.
        let frameMax = try await BrokerVersion.current < .v4_1 ? wanted : max(wanted, 8192)
        var configuration = try TestBroker.configuration
        configuration.frameMax = UInt32(frameMax)
        try await Connection.withConnection(configuration) { connection in
            let channel = try await connection.openChannel()
            let queue = try await channel.declareQueue(exclusive: true)
            let exchange = try await channel.declareExchange("")
            let part = frameMax - 8
            let sizes = [0, 1, part - 1, part, part + 1, 2 * part - 1, 2 * part, 2 * part + 1, 5 * part]
            for size in sizes { try await exchange.publish(Message(body: bytes(size)), routingKey: queue.name) }
            var iterator = try await queue.consume(.noAck).makeAsyncIterator()
            for size in sizes {
                let message = try await iterator.next()
                #expect(message?.body == bytes(size), "\(size) bytes")
            }
        }
    }

    private func bytes(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            for index in 0..<count { buffer[index] = UInt8(truncatingIfNeeded: index &* 7 &+ index >> 8) }
            initialized = count
        }
    }

    @Test("row 23: mandatory is the default, and a message that is not mandatory is dropped in silence")
    func mandatory() async throws {
        try await TestBroker.withChannel { _, channel in
            let returned = Collected<ReturnedMessage>()
            channel.setReturnHandler { returned.add($0) }
            let exchange = try await channel.declareExchange("")
            let nowhere = TestBroker.uniqueName("nowhere")
            try await exchange.publish(Message(body: [1]), routingKey: nowhere, mandatory: false)
            try await exchange.publish(Message(body: [2]), routingKey: nowhere)
            try await eventually("one came back") { returned.count > 0 }
            #expect(returned.all.map(\.message.body) == [[2]])
        }
    }

    @Test("row 24: an exchange in use is not deleted: precondition failed; ifUnused false deletes it all the same")
    func deleteInUse() async throws {
        try await TestBroker.withConnection { connection in
            let name = TestBroker.uniqueName("used")
            let channel = try await connection.openChannel()
            let exchange = try await channel.declareExchange(name)
            let queue = try await channel.declareQueue(exclusive: true)
            try await queue.bind(to: exchange, routingKey: "x")
            let error = await expectError(.preconditionFailed) { try await exchange.delete() }
            #expect(error?.method?.name == "exchange.delete")
            let again = try await connection.openChannel()
            let same = try await again.declareExchange(name, passive: true)
            try await same.delete(ifUnused: false)
            await expectError(.notFound) { try await again.declareExchange(name, passive: true) }
        }
    }

    @Test("row 24: after its deletion every use of an exchange throws that it was deleted, and sends nothing")
    func useAfterDelete() async throws {
        try await TestBroker.withChannel { _, channel in
            let exchange = try await channel.declareExchange(TestBroker.uniqueName("deleted"))
            let queue = try await channel.declareQueue(exclusive: true)
            try await exchange.delete()
            await expectError(.deleted) { try await exchange.publish(Message(body: []), routingKey: "x") }
            await expectError(.deleted) { try await exchange.delete() }
            await expectError(.deleted) { try await queue.bind(to: exchange, routingKey: "x") }
            #expect(channel.closeReason == nil)
            #expect(try await queue.get() == nil)
            let standard = try await channel.declareExchange("")
            await expectError(.invalidExchangeName) { try await standard.delete() }
        }
    }
}
