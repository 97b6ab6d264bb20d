import RabbitMQ
import TestSupport
import Testing

@Suite("Typed arguments take effect: exchanges and bindings")
struct RoutingArgumentsTests {
    @Test("what the exchange can't route goes to its alternate exchange")
    func alternateExchange() async throws {
        try await Scratch.use { scratch, _, channel in
            let unrouted = try await channel.declareExchange(scratch.exchange("unrouted"), type: .fanout)
            let queue = try await channel.declareQueue(exclusive: true)
            try await queue.bind(to: unrouted, routingKey: "")
            let exchange = try await channel.declareExchange(
                scratch.exchange(),
                arguments: ExchangeArguments(alternateExchange: unrouted.name)
            )
            try await exchange.publish(Message("lost"), routingKey: "nowhere")
            #expect(try await queue.next().message.text() == "lost")
        }
    }

    @Test(
        "a headers exchange compares as it is told",
        arguments: [
            (BindingArguments.headers(.all, ["a": 1, "b": 2]), [false, true, false]),
            (BindingArguments.headers(.any, ["a": 1, "b": 2]), [true, true, false]),
            (BindingArguments.headers(.all, ["a": .void]), [true, true, false]),
            (BindingArguments.headers(.allWithX, ["x-c": 3]), [false, false, true]),
            (BindingArguments.headers(.anyWithX, ["a": 5, "x-c": 3]), [false, false, true]),
        ]
    )
    func headers(arguments: BindingArguments, reaches: [Bool]) async throws {
        try await Scratch.use { scratch, _, channel in
            let exchange = try await channel.declareExchange(scratch.exchange(), type: .headers)
            let queue = try await channel.declareQueue(exclusive: true)
            let binding = try await queue.bind(to: exchange, arguments: arguments)
            try await channel.selectConfirms()
            let messages: [FieldTable] = [["a": 1], ["a": 1, "b": 2], ["x-c": 3]]
            for (headers, isReached) in zip(messages, reaches) {
                let receipt = try await exchange.publish(
                    Message("", headers: headers),
                    routingKey: "",
                    mandatory: false
                )
                try await receipt.confirmed()
                let message = try await queue.get(noAck: true)
                #expect((message != nil) == isReached, "\(headers)")
            }
            try await binding.unbind()
            try await exchange.publish(Message("", headers: messages[1]), routingKey: "", mandatory: false).confirmed()
            #expect(try await queue.get() == nil)
        }
    }

    @Test("a queue is bound to an exchange by its name, which must be one that an exchange can have")
    func byName() async throws {
        try await Scratch.use { _, connection, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            let binding = try await queue.bind(to: "amq.topic", routingKey: "\(queue.name).#")
            try await channel.topicExchange.publish(Message("x"), routingKey: "\(queue.name).a")
            #expect(try await queue.get(noAck: true)?.text() == "x")
            try await binding.unbind()
            for (name, code) in [("", AMQPError.Code.invalidExchangeName), ("a\n", .invalidExchangeName)] {
                await expectError(code) { try await queue.bind(to: name) }
            }
            await expectError(.notFound) {
                try await connection.openChannel().queue(queue.name).bind(to: TestBroker.uniqueName("none"))
            }
        }
    }

    @Test("an exchange is bound by headers to a headers exchange")
    func exchangeByHeaders() async throws {
        try await Scratch.use { scratch, _, channel in
            let source = try await channel.declareExchange(scratch.exchange(), type: .headers)
            let destination = try await channel.declareExchange(scratch.exchange(), type: .fanout)
            let queue = try await channel.declareQueue(exclusive: true)
            try await queue.bind(to: destination, routingKey: "")
            try await destination.bind(to: source, arguments: .headers(.any, ["a": 1]))
            try await source.publish(Message("1", headers: ["a": 1]), routingKey: "")
            #expect(try await queue.next().message.text() == "1")
        }
    }
}
