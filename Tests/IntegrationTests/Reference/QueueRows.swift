import RabbitMQ
import TestSupport
import Testing

@Suite("Reference: queues", .timeLimit(.minutes(1)))
struct QueueRows {
    @Test("row 10: with the empty name the server names the queue, and the object carries that name")
    func serverNamed() async throws {
        try await TestBroker.withChannel { _, channel in
            let first = try await channel.declareQueue(exclusive: true)
            let second = try await channel.declareQueue(exclusive: true)
            #expect(first.name.hasPrefix("amq.gen-"))
            #expect(first.name != second.name)
            await expectError(.invalidName) { try await channel.declareQueue("", noWait: true) }
            #expect(channel.closeReason == nil)
        }
    }

    @Test(
        "row 10: a bad name is refused before anything is sent",
        arguments: ["amq.mine", "a\u{0}", "a\nb", "a\r", String(repeating: "é", count: 128)]
    )
    func badName(_ name: String) async throws {
        try await TestBroker.withChannel { _, channel in
            await expectError(.invalidName) { try await channel.declareQueue(name) }
            #expect(channel.closeReason == nil)
        }
    }

    @Test("row 10: names of any characters are good, up to 255 bytes", arguments: ForeignNames.all)
    func goodNames(_ name: String) async throws {
        try await TestBroker.withChannel { _, channel in
            let unique = TestBroker.uniqueName(name)
            for name in [unique, unique + String(repeating: "y", count: 255 - unique.utf8.count)] {
                let queue = try await channel.declareQueue(name, exclusive: true)
                #expect(queue.name == name)
                #expect(try await channel.declareQueue(name, passive: true).name == name)
                try await channel.declareExchange("").publish(Message(body: [1]), routingKey: name)
                for try await message in try await channel.queue(name).consume() {
                    #expect(message.routingKey == name)
                    try message.ack()
                    break
                }
                try await channel.queue(name).delete(ifUnused: false, ifEmpty: false)
            }
        }
    }

    @Test("row 10: names may hold an asterisk, and amq.rabbitmq.reply-to carries direct replies")
    func specialNames() async throws {
        try await TestBroker.withChannel { connection, channel in
            let star = try await channel.declareQueue(TestBroker.uniqueName("a*b"), exclusive: true)
            #expect(star.name.contains("*"))
            let replies = try await channel.declareQueue("amq.rabbitmq.reply-to", passive: true)
            #expect(replies.name == "amq.rabbitmq.reply-to")
            let deliveries = try await replies.consume(.noAck)
            let exchange = try await channel.declareExchange("")
            try await exchange.publish(Message(body: [1], replyTo: replies.name), routingKey: star.name)
            let request = try #require(try await star.get(noAck: true))
            let answering = try await connection.openChannel()
            let address = try #require(request.replyTo)
            try await answering.declareExchange("").publish(Message(body: [2]), routingKey: address)
            for try await reply in deliveries {
                #expect(reply.body == [2])
                break
            }
        }
    }

    @Test("row 10: passive gives counts, or notFound; noWait takes effect before the next call")
    func passiveAndNoWait() async throws {
        try await TestBroker.withConnection { connection in
            let channel = try await connection.openChannel()
            let name = TestBroker.uniqueName("nowait")
            let queue = try await channel.declareQueue(name, exclusive: true, noWait: true)
            #expect(queue.name == name)
            #expect(try await queue.get() == nil)
            try await channel.declareExchange("").publishNumbers(0..<3, to: queue)
            try await connection.waitForMessages(3, in: queue)
            let deliveries = try await queue.consume()
            #expect(try await connection.counts(of: queue).consumers == 1)
            withExtendedLifetime(deliveries) {}
            let missing = TestBroker.uniqueName("missing")
            let error = await expectError(.notFound) { try await channel.declareQueue(missing, passive: true) }
            #expect(error?.replyText?.contains(missing) == true)
        }
    }

    @Test("row 10: declared again with other flags or arguments it is a failed precondition")
    func redeclared() async throws {
        try await TestBroker.withConnection { connection in
            let name = TestBroker.uniqueName("flags")
            let keeper = try await connection.openChannel()
            let queue = try await keeper.declareQueue(name, autoDelete: true, arguments: ["x-max-length": 3])
            #expect(try await keeper.declareQueue(name, autoDelete: true, arguments: ["x-max-length": 3]).name == name)
            let others: [@Sendable (Channel) async throws -> Queue] = [
                { try await $0.declareQueue(name, arguments: ["x-max-length": 3]) },
                { try await $0.declareQueue(name, durable: false, autoDelete: true, arguments: ["x-max-length": 3]) },
                { try await $0.declareQueue(name, autoDelete: true, arguments: ["x-max-length": 4]) },
                { try await $0.declareQueue(name, autoDelete: true) },
            ]
            for other in others {
                let channel = try await connection.openChannel()
                await expectError(.preconditionFailed) { try await other(channel) }
            }
            try await queue.delete()
        }
    }

    @Test("row 16: a queue knows its flags and arguments, and the arguments work")
    func properties() async throws {
        try await TestBroker.withChannel { connection, channel in
            let queue = try await channel.declareQueue(
                TestBroker.uniqueName("bounded"),
                durable: false,
                autoDelete: true,
                arguments: ["x-max-length": 2]
            )
            #expect((queue.durable, queue.exclusive, queue.autoDelete) == (false, false, true))
            #expect(queue.arguments == ["x-max-length": 2])
            try await channel.declareExchange("").publishNumbers(0..<5, to: queue)
            try await connection.waitForMessages(2, in: queue)
            #expect(try await queue.get(noAck: true)?.number == 3)
            try await queue.delete(ifEmpty: false)
        }
    }

    @Test("row 16: exclusive is per connection: its channels share the queue, and it outlives the one that declared it")
    func exclusive() async throws {
        try await TestBroker.withConnection { connection in
            let channel = try await connection.openChannel()
            let queue = try await channel.declareQueue(exclusive: true)
            await channel.close()
            #expect(try await connection.counts(of: queue).messages == 0)
            try await TestBroker.withConnection { stranger in
                let error = await expectError(.resourceLocked) { try await stranger.counts(of: queue) }
                #expect(error?.replyCode == .resourceLocked)
            }
        }
    }

    @Test("row 17: a binding routes until it is removed; removing it twice throws that it was deleted (row 25)")
    func bindAndUnbind() async throws {
        try await TestBroker.withChannel { connection, channel in
            let exchange = try await channel.declareExchange(TestBroker.uniqueName("bound"), durable: false)
            let queue = try await channel.declareQueue(exclusive: true)
            let binding = try await queue.bind(to: exchange, routingKey: "key")
            #expect(binding.queue === queue)
            #expect(binding.exchange === exchange)
            #expect(binding.routingKey == "key")
            try await exchange.publish(Message(body: [1]), routingKey: "key")
            #expect(try await queue.get(noAck: true)?.body == [1])
            try await binding.unbind()
            await expectError(.deleted) { try await binding.unbind() }
            try await exchange.publish(Message(body: [2]), routingKey: "key", mandatory: false)
            #expect(try await queue.get() == nil)
            try await exchange.delete()
        }
    }

    @Test("row 25: a binding with arguments is removed with its own or with given arguments")
    func unbindArguments() async throws {
        try await TestBroker.withChannel { _, channel in
            let exchange = try await channel.declareExchange(
                TestBroker.uniqueName("headers"),
                type: .headers,
                durable: false
            )
            let queue = try await channel.declareQueue(exclusive: true)
            let format: BindingArguments = ["x-match": "all", "format": "pdf"]
            let language: BindingArguments = ["x-match": "any", "language": "la"]
            let first = try await queue.bind(to: exchange, routingKey: "", arguments: format)
            let second = try await queue.bind(to: exchange, routingKey: "", arguments: language)
            #expect(first.arguments == format)
            func reaches(_ headers: FieldTable) async throws -> Bool {
                try await exchange.publish(Message(body: [], headers: headers), routingKey: "", mandatory: false)
                return try await queue.get(noAck: true) != nil
            }
            #expect(try await reaches(["format": "pdf"]))
            #expect(try await reaches(["language": "la", "format": "txt"]))
            #expect(try await !reaches(["format": "txt"]))
            try await first.unbind()
            #expect(try await !reaches(["format": "pdf"]))
            try await second.unbind(arguments: language)
            #expect(try await !reaches(["language": "la"]))
            try await exchange.delete()
        }
    }

    @Test("row 17: binding to the default exchange, or with a deleted queue, is refused locally")
    func bindRefused() async throws {
        try await TestBroker.withChannel { _, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            let standard = try await channel.declareExchange("")
            let exchange = try await channel.declareExchange("amq.direct", passive: true)
            await expectError(.invalidExchangeName) { try await queue.bind(to: standard, routingKey: "x") }
            let binding = try await queue.bind(to: exchange, routingKey: TestBroker.uniqueName("key"))
            try await queue.delete()
            await expectError(.deleted) { try await queue.bind(to: exchange, routingKey: "x") }
            await expectError(.deleted) { try await binding.unbind() }
            #expect(channel.closeReason == nil)
        }
    }

    @Test("row 20: purge returns how many messages it dropped")
    func purge() async throws {
        try await TestBroker.withQueue { connection, channel, queue, exchange in
            try await exchange.publishNumbers(0..<7, to: queue)
            try await connection.waitForMessages(7, in: queue)
            let unacknowledged = try await queue.get()
            #expect(unacknowledged?.number == 0)
            #expect(try await queue.purge() == 6)
            #expect(try await queue.purge() == 0)
        }
    }

    @Test("row 21: a queue in use is not deleted: precondition failed")
    func deleteInUse() async throws {
        try await TestBroker.withConnection { connection in
            let channel = try await connection.openChannel()
            let queue = try await channel.declareQueue(exclusive: true)
            let deliveries = try await queue.consume()
            let other = try await connection.openChannel()
            let same = try await other.declareQueue(queue.name, exclusive: true, passive: true)
            let error = await expectError(.preconditionFailed) { try await same.delete() }
            #expect(error?.method?.name == "queue.delete")
            #expect(try await connection.counts(of: queue).consumers == 1)
            withExtendedLifetime(deliveries) {}
            #expect(try await queue.delete(ifUnused: false) == 0)
        }
    }

    @Test("row 21: ifEmpty looks at ready messages; delete returns how many there were")
    func deleteNotEmpty() async throws {
        try await TestBroker.withConnection { connection in
            let channel = try await connection.openChannel()
            let queue = try await channel.declareQueue(exclusive: true)
            let exchange = try await channel.declareExchange("")
            try await exchange.publishNumbers(0..<3, to: queue)
            try await connection.waitForMessages(3, in: queue)
            let other = try await connection.openChannel()
            let same = try await other.declareQueue(queue.name, exclusive: true, passive: true)
            await expectError(.preconditionFailed) { try await same.delete() }
            // Not acknowledged is not ready.
            for _ in 0..<3 { _ = try await queue.get() }
            #expect(try await queue.delete() == 0)

            let second = try await channel.declareQueue(exclusive: true)
            try await exchange.publishNumbers(0..<2, to: second)
            try await connection.waitForMessages(2, in: second)
            #expect(try await second.delete(ifEmpty: false) == 2)
        }
    }

    @Test("row 21: after its deletion every use of a queue throws that it was deleted, and sends nothing")
    func useAfterDelete() async throws {
        try await TestBroker.withQueue { _, channel, queue, _ in
            try await queue.delete()
            let exchange = try await channel.declareExchange("amq.direct", passive: true)
            await expectError(.deleted) { try await queue.get() }
            await expectError(.deleted) { try await queue.consume() }
            await expectError(.deleted) { try await queue.consume(callback: { _ in }) }
            await expectError(.deleted) { try await queue.purge() }
            await expectError(.deleted) { try await queue.delete() }
            await expectError(.deleted) { try await queue.bind(to: exchange, routingKey: "x") }
            #expect(channel.closeReason == nil)
        }
    }
}
