import RabbitMQ
import RabbitMQTesting
import Testing

@Suite(.timeLimit(.minutes(1))) struct RestartTests {
    @Test func `a restart keeps what is durable, and of messages what is persistent`() throws {
        let broker = try InProcessBroker()
        defer { broker.stop() }
        try broker.declareExchange("kept", type: .fanout)
        try broker.declareExchange("lost", type: .fanout, durable: false)
        try broker.declareQueue("classic")
        try broker.declareQueue("quorum", arguments: QueueArguments(type: .quorum))
        try broker.declareQueue("transient", durable: false)
        for queue in ["classic", "quorum", "transient"] {
            try broker.bindQueue(queue, to: "kept")
            broker.publish(Message(body: [1], deliveryMode: .persistent), routingKey: queue)
            broker.publish(Message(body: [2]), routingKey: queue)
        }
        broker.restart()
        #expect(broker.queues.map(\.name) == ["classic", "quorum"])
        #expect(broker.exchangeNames == ["kept"])
        #expect(broker.messages(in: "classic").map(\.message.body) == [[1]])
        #expect(broker.messages(in: "quorum").map(\.message.body) == [[1], [2]])
        broker.publish(Message(body: [3]), to: "kept", routingKey: "")
        #expect(broker.queues.map(\.ready) == [2, 3])
    }

    @Test func `what a consumer had at a restart comes again, and a queue of its own is there`() async throws {
        try await InProcessBroker.run { broker in
            try await Connection.withConnection(broker.configuration) { connection in
                let channel = try await connection.openChannel()
                let own = try await channel.declareQueue(exclusive: true)
                let queue = try await channel.declareQueue("q")
                try await queue.publish(Message(body: [1], deliveryMode: .persistent))
                var seen: [Bool] = []
                for try await message in try await queue.consume() {
                    seen.append(message.redelivered)
                    if seen.count == 1 {
                        broker.restart()
                    } else {
                        try message.ack()
                        break
                    }
                }
                #expect(seen == [false, true])
                try await broker.wait { $0.queue("q").map { $0.ready + $0.unsettled } == 0 }
                try await broker.wait { $0.queue(own.name) != nil }
            }
        }
    }

    @Test func `a broker that stays away is found again`() async throws {
        try await InProcessBroker.run { broker in
            try await Connection.withConnection(broker.configuration) { connection in
                let queue = try await connection.openChannel().declareQueue("q")
                broker.refuseConnections()
                broker.restart()
                try await broker.wait { _ in connection.state != .up }
                #expect(broker.connections.isEmpty)
                broker.acceptConnections()
                try await broker.wait { _ in connection.state == .up }
                try await queue.publish(Message(body: [1]))
                try await broker.wait { $0.queue("q")?.ready == 1 }
            }
        }
    }
}
