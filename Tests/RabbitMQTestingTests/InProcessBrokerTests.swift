import Logging
import RabbitMQ
import RabbitMQTesting
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct InProcessBrokerTests {
    @Test func `it starts, is connected to and stops, and then nobody listens`() async throws {
        for _ in 0..<5 {
            let broker = try InProcessBroker()
            var configuration = broker.configuration
            configuration.recovery = .none
            configuration.logger.logLevel = .critical
            let connection = try await Connection.connect(configuration)
            broker.stop()
            let reason = try await within(.seconds(20), "its end") { try await connection.closed }
            #expect(reason.kind == .lost)
            // Its socket is closed with the connections', a moment later.
            try await eventually("nobody listens") { [configuration] in
                do {
                    try await Connection.connect(configuration).close()
                    return false
                } catch {
                    return (error as? AMQPError)?.code == .connectionFailed
                }
            }
        }
    }

    @Test func `what it holds is seen without a client`() async throws {
        try await InProcessBroker.run { broker in
            try broker.declareQueue("q", arguments: QueueArguments(maxLength: 10))
            #expect(broker.publish(try Message("1"), routingKey: "q"))
            #expect(!broker.publish(try Message("2"), routingKey: "none"))
            #expect(broker.messages(in: "q").map(\.message.words) == ["1"])
            try await Connection.withConnection(broker.configuration) { connection in
                let channel = try await connection.openChannel()
                _ = try await channel.declareExchange("e", type: .fanout)
                _ = try await channel.declareQueue("q", arguments: QueueArguments(maxLength: 10))
                let message = try await channel.queue("q").get()
                #expect(broker.queue("q")?.ready == 0 && broker.queue("q")?.unsettled == 1)
                #expect(broker.exchangeNames == ["e"])
                #expect(broker.connections.map(\.channels) == [1])
                try message?.ack()
                try await broker.wait { $0.queue("q")?.unsettled == 0 }
            }
            try await broker.wait { $0.connections.isEmpty }
        }
    }

    @Test func `what is published to an exchange is seen in a queue that a test has bound`() async throws {
        try await InProcessBroker.run { broker in
            try broker.declareExchange("unrouted", type: .fanout)
            try broker.declareExchange("events", type: .topic, arguments: ["alternate-exchange": "unrouted"])
            for queue in ["paid", "others"] { try broker.declareQueue(queue) }
            try broker.bindQueue("paid", to: "events", routingKey: "order.*.paid")
            try broker.bindQueue("others", to: "unrouted")
            try await Connection.withConnection(broker.configuration) { connection in
                let channel = try await connection.openChannel()
                try await channel.selectConfirms()
                // Declared as a service does it, which finds the same.
                let arguments = ExchangeArguments(alternateExchange: "unrouted")
                let events = try await channel.declareExchange("events", type: .topic, arguments: arguments)
                for key in ["order.1.paid", "order.1.sent"] {
                    try await events.publishConfirmed(Message(body: key.utf8), routingKey: key)
                }
            }
            #expect(broker.messages(in: "paid").map(\.routingKey) == ["order.1.paid"])
            #expect(broker.messages(in: "others").map(\.routingKey) == ["order.1.sent"])
        }
    }

    @Test func `what a program has declared is seen as a value`() async throws {
        let topology = Topology(
            exchanges: [
                Topology.Exchange("orders", type: .topic, arguments: ["alternate-exchange": "unrouted"]),
                Topology.Exchange("unrouted", type: .fanout, durable: false),
            ],
            queues: [
                Topology.Queue("all", durable: false, autoDelete: true),
                Topology.Queue("orders.eu", arguments: QueueArguments(type: .quorum, deadLetterExchange: "")),
            ],
            bindings: [
                Topology.Binding(queue: "all", to: "amq.headers", arguments: ["x-match": "any", "a": "b"]),
                Topology.Binding(exchange: "unrouted", to: "orders", routingKey: "us.#"),
                Topology.Binding(queue: "orders.eu", to: "orders", routingKey: "eu.#"),
            ]
        )
        try await InProcessBroker.run { broker in
            try await Connection.withConnection(broker.configuration) { connection in
                try await topology.apply(on: connection)
            }
            let seen = broker.topology
            #expect(seen.exchanges == topology.exchanges)
            #expect(seen.queues == topology.queues)
            #expect(Set(seen.bindings) == Set(topology.bindings))
        }
    }

    @Test func `what a test can't declare or bind is an error`() throws {
        let broker = try InProcessBroker()
        defer { broker.stop() }
        try broker.declareQueue("q")
        try broker.declareExchange("e")
        try broker.declareExchange("e", type: .topic)
        try broker.bindQueue("q", to: "amq.fanout")
        let attempts: [(AMQPError.Code, () throws -> Void)] = [
            (.preconditionFailed, { try broker.declareExchange("hash", type: .consistentHash) }),
            (.accessRefused, { try broker.declareExchange("amq.mine") }),
            (.accessRefused, { try broker.declareQueue("amq.mine") }),
            (.preconditionFailed, { try broker.declareQueue("") }),
            (.preconditionFailed, { try broker.declareQueue("other", arguments: ["x-max-length": -1]) }),
            (.accessRefused, { try broker.bindQueue("q", to: "") }),
            (.notFound, { try broker.bindQueue("none", to: "e") }),
            (.notFound, { try broker.bindQueue("q", to: "none") }),
        ]
        for (code, attempt) in attempts {
            let error = #expect(throws: AMQPError.self) { try attempt() }
            #expect(error?.code == code)
        }
        #expect(broker.exchangeNames == ["e"])
        #expect(broker.queues.map(\.name) == ["q"])
    }

    @Test func `who waits in vain is told what there is instead`() async throws {
        let broker = try InProcessBroker()
        defer { broker.stop() }
        try broker.declareQueue("orders")
        broker.publish(try Message("1"), routingKey: "orders")
        broker.inject(.cut, at: .method("basic.ack"))
        let error = await #expect(throws: AMQPError.self) {
            try await broker.wait(atMost: .milliseconds(5)) { $0.queue("orders")?.unsettled == 1 }
        }
        let message = try #require(error?.message)
        #expect(error?.code == .timedOut)
        #expect(message.contains("connections: 0, faults to come: 1, queues: orders (ready: 1, unsettled: 0, "))
    }

    @Test func `many connections share it`() async throws {
        try await InProcessBroker.run { broker in
            try broker.declareQueue("q")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        try await Connection.withConnection(broker.configuration) { connection in
                            let channel = try await connection.openChannel()
                            try await channel.selectConfirms()
                            for number in 0..<50 {
                                try await channel.queue("q").publish(Message(body: [UInt8(number)]))
                            }
                            try await channel.waitForConfirms()
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(broker.queue("q")?.ready == 1000)
        }
    }

    @Test func `who may log in, and to which virtual host`() async throws {
        var options = InProcessBroker.Options()
        options.users = ["alice": "secret"]
        options.virtualHost = "orders"
        try await InProcessBroker.run(options) { broker in
            var configuration = broker.configuration
            let refused = try await thrownError { [configuration] in try await Connection.connect(configuration) }
            #expect(refused.code == .authenticationFailed)
            configuration.credentials = .plain(username: "alice", password: "secret")
            try await Connection.withConnection(configuration) { _ in
                #expect(broker.connections.map(\.user) == ["alice"])
            }
            configuration.virtualHost = "/"
            let unknown = try await thrownError { [configuration] in try await Connection.connect(configuration) }
            #expect(unknown.replyCode == .notAllowed)
            #expect(try ConnectionConfiguration(uri: broker.uri).virtualHost == "orders")
        }
    }

    @Test(arguments: ["/", "orders", "a/b", "a b%ü", "@:?#"])
    func `the URI names the virtual host, whatever is in it`(virtualHost: String) throws {
        var options = InProcessBroker.Options()
        options.virtualHost = virtualHost
        let broker = try InProcessBroker(options)
        defer { broker.stop() }
        let configuration = try ConnectionConfiguration(uri: broker.uri)
        #expect(configuration.virtualHost == virtualHost && configuration.port == broker.port)
    }

    @Test func `transactions and streams are refused`() async throws {
        try await InProcessBroker.run { broker in
            try await Connection.withConnection(broker.configuration) { connection in
                let channel = try await connection.openChannel()
                let stream = await #expect(throws: AMQPError.self) {
                    try await channel.declareQueue("s", arguments: QueueArguments(type: .stream))
                }
                #expect(stream?.replyCode == .preconditionFailed)
            }
            var configuration = broker.configuration
            configuration.recovery = .none
            try await Connection.withConnection(configuration) { connection in
                let channel = try await connection.openChannel()
                let error = await #expect(throws: AMQPError.self) { try await channel.selectTransactions() }
                #expect(error?.replyCode == .notImplemented)
            }
        }
    }

    @Test func `a large backlog reaches a consumer`() async throws {
        try await InProcessBroker.run { broker in
            try broker.declareQueue("q")
            for number in 0..<20_000 { broker.publish(Message(body: Array("\(number)".utf8)), routingKey: "q") }
            try await Connection.withConnection(broker.configuration) { connection in
                let channel = try await connection.openChannel()
                try await channel.setQos(prefetchCount: 200)
                var next = 0
                for try await message in try await channel.queue("q").consume() {
                    #expect(message.words == "\(next)")
                    try message.ack()
                    next += 1
                    if next == 20_000 { break }
                }
                try await broker.wait { $0.queue("q").map { $0.ready + $0.unsettled } == 0 }
            }
        }
    }

    @Test func `heartbeats keep a connection that has them`() async throws {
        try await InProcessBroker.run { broker in
            var configuration = broker.configuration
            configuration.heartbeat = .seconds(1)
            configuration.recovery = .none
            try await Connection.withConnection(configuration) { connection in
                // One each half second: silence would have been noticed by then.
                let before = connection.statistics.bytesReceived
                try await eventually("six heartbeats have come") {
                    !connection.isOpen || connection.statistics.bytesReceived - before >= 6 * 8
                }
                #expect(connection.isOpen)
            }
        }
    }
}
