import RabbitMQ
import TestSupport
import Testing

@Suite("Types of exchange that only some brokers have")
struct ExchangeTypeTests {
    /// Declares an exchange of a type, binds two queues to it, and lends them; false if the broker doesn't know the type,
    /// which it must say in an error that can be told apart.
    private func use(
        _ type: ExchangeType,
        _ arguments: ExchangeArguments = ExchangeArguments(),
        routingKey: String = "",
        binding: BindingArguments = BindingArguments(),
        _ body: @Sendable (Channel, Exchange, [Queue]) async throws -> Void
    ) async throws {
        try await Scratch.use { scratch, connection, _ in
            let name = scratch.exchange()
            guard try await isKnown(type, name, arguments) else { return }
            try await connection.withChannel { channel in
                let exchange = try await channel.declareExchange(name, type: type, arguments: arguments)
                var queues: [Queue] = []
                for _ in 0..<2 {
                    let queue = try await channel.declareQueue(
                        exclusive: true,
                        arguments: QueueArguments(type: .classic)
                    )
                    try await queue.bind(to: exchange, routingKey: routingKey, arguments: binding)
                    queues.append(queue)
                }
                try await channel.selectConfirms()
                try await body(channel, exchange, queues)
            }
        }
    }

    /// Asks on a connection of its own, which an older broker closes for a type that it doesn't know.
    private func isKnown(_ type: ExchangeType, _ name: String, _ arguments: ExchangeArguments) async throws -> Bool {
        let version = try await BrokerVersion.current
        do {
            try await TestBroker.withChannel { _, channel in
                _ = try await channel.declareExchange(name, type: type, arguments: arguments)
            }
            return true
        } catch let error as AMQPError {
            #expect(error.code == (version < .v4_0 ? .connectionClosed : .preconditionFailed), "\(type): \(error)")
            #expect(error.replyCode == (version < .v4_0 ? .commandInvalid : .preconditionFailed), "\(type): \(error)")
            #expect(error.replyText?.contains(type.rawValue) == true, "\(type): \(error)")
            #expect(!error.isRetryable)
            return false
        }
    }

    private func publish(_ count: Int, to exchange: Exchange, key: (Int) -> String = { _ in "" }) async throws {
        for number in 0..<count {
            try await exchange.publish(Message("\(number)"), routingKey: key(number)).confirmed()
        }
    }

    private func counts(_ queues: [Queue]) async throws -> [Int] {
        var counts: [Int] = []
        for queue in queues { counts.append(try await queue.readyCount()) }
        return counts
    }

    @Test(
        "each of them either is there or is refused with an error that names it",
        arguments: [
            ExchangeType.localRandom, .random, .modulusHash, .consistentHash, .recentHistory, .jmsTopic,
        ]
    )
    func known(type: ExchangeType) async throws {
        let scratchName = TestBroker.uniqueName("exchange")
        if try await isKnown(type, scratchName, ExchangeArguments()) {
            try await TestBroker.withChannel { _, channel in
                try await channel.exchange(scratchName).delete(ifUnused: false)
            }
        }
    }

    @Test("those that the broker has in itself are there")
    func builtIn() async throws {
        let version = try await BrokerVersion.current
        for (type, since) in [(ExchangeType.localRandom, BrokerVersion.v4_0), (.modulusHash, .v4_3)]
        where version >= since {
            try await Scratch.use { scratch, _, _ in
                let isThere = try await isKnown(type, scratch.exchange(), ExchangeArguments())
                #expect(isThere)
            }
        }
    }

    @Test("x-local-random and x-random give each message to one queue, drawn by lot")
    func random() async throws {
        for type in [ExchangeType.localRandom, .random] {
            try await use(type) { _, exchange, queues in
                try await publish(60, to: exchange)
                let counts = try await counts(queues)
                #expect(counts.reduce(0, +) == 60)
                // All of 60 to one of two queues: once in 5 * 10^17.
                #expect(counts.allSatisfy { $0 > 0 })
            }
        }
    }

    @Test("x-modulus-hash and x-consistent-hash give the same queue the same keys")
    func hash() async throws {
        for (type, weight) in [(ExchangeType.modulusHash, ""), (.consistentHash, "10")] {
            try await use(type, routingKey: weight) { _, exchange, queues in
                for _ in 0..<3 { try await publish(50, to: exchange) { "key \($0)" } }
                var texts: [Set<String>] = []
                for queue in queues {
                    var found: [String: Int] = [:]
                    while let message = try await queue.get(noAck: true) { found[try message.text(), default: 0] += 1 }
                    #expect(found.values.allSatisfy { $0 == 3 })
                    texts.append(Set(found.keys))
                }
                #expect(texts[0].isDisjoint(with: texts[1]))
                #expect(texts[0].union(texts[1]).count == 50)
            }
        }
    }

    @Test("x-consistent-hash goes by a header or a property if it is told to")
    func hashOn() async throws {
        for arguments in [ExchangeArguments(hashHeader: "customer"), ExchangeArguments(hashProperty: .correlationID)] {
            try await use(.consistentHash, arguments, routingKey: "1") { _, exchange, queues in
                for number in 0..<20 {
                    let message = try Message("x", headers: ["customer": "c"], correlationID: "c")
                    try await exchange.publish(message, routingKey: "key \(number)").confirmed()
                }
                #expect(try await counts(queues).sorted() == [0, 20])
            }
        }
    }

    @Test("x-recent-history gives a new queue the last messages")
    func history() async throws {
        try await use(.recentHistory, ExchangeArguments(recentHistoryLength: 3)) { channel, exchange, queues in
            try await publish(5, to: exchange)
            var unkept = try Message("unkept")
            unkept.headers = ["x-recent-history-no-store": true]
            try await exchange.publish(unkept, routingKey: "").confirmed()
            #expect(try await counts(queues) == [6, 6])
            let late = try await channel.declareQueue(exclusive: true)
            try await late.bind(to: exchange, routingKey: "")
            var texts: Set<String> = []
            for _ in 0..<3 { texts.insert(try await late.next().text()) }
            #expect(texts == ["2", "3", "4"])
        }
    }

    @Test("x-jms-topic routes by a binding's selector, without which the exchange can't be bound to")
    func selector() async throws {
        try await use(.jmsTopic, binding: BindingArguments(selector: "true.")) { channel, exchange, queues in
            let queue = try await channel.declareQueue(exclusive: true)
            let isRed = BindingArguments(selector: "{'=',{'ident',<<\"colour\">>},<<\"red\">>}.")
            try await queue.bind(to: exchange, arguments: isRed)
            for colour in ["red", "blue"] {
                let message = try Message(colour, headers: ["colour": .string(colour)])
                try await exchange.publish(message, routingKey: "").confirmed()
            }
            #expect(try await counts(queues) == [2, 2])
            #expect(try await queue.readyCount() == 1)
            #expect(try await queue.next().text() == "red")
            await expectError(.invalidArgument) { try await queue.bind(to: exchange, routingKey: "") }
            #expect(channel.closeReason == nil)
        }
    }

    @Test("x-delayed-message keeps a message for its delay")
    func delayed() async throws {
        try await use(.delayedMessage, ExchangeArguments(delayedType: .fanout)) { _, exchange, queues in
            var message = try Message("later")
            message.delay = .milliseconds(500)
            let start = ContinuousClock.now
            try await exchange.publish(message, routingKey: "", mandatory: false).confirmed()
            let delivered = try await queues[0].next()
            #expect(ContinuousClock.now - start >= .milliseconds(495))
            #expect(delivered.delay == .milliseconds(-500))
        }
    }

    @Test("arguments that would cost the connection are refused before they are sent")
    func refused() async throws {
        try await TestBroker.withChannel { connection, channel in
            await expectError(.invalidArgument) {
                try await channel.declareExchange(
                    TestBroker.uniqueName("hash"),
                    type: .consistentHash,
                    arguments: ["hash-header": 7]
                )
            }
            #expect(channel.closeReason == nil)
            #expect(connection.closeReason == nil)
        }
    }

    @Test("a type of queue of the commercial broker is refused with an error that names it")
    func queueTypes() async throws {
        for type in [QueueType.delayed, .jms] {
            try await Scratch.use { scratch, _, channel in
                let name = scratch.queue()
                do {
                    let queue = try await channel.declareQueue(name, arguments: QueueArguments(type: type))
                    #expect(queue.arguments.type == type)
                } catch let error as AMQPError {
                    #expect(error.code == .preconditionFailed, "\(error)")
                    #expect(error.replyText?.contains(type.rawValue) == true)
                }
            }
        }
    }
}
