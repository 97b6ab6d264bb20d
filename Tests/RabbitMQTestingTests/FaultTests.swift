import Logging
import RabbitMQ
import RabbitMQTesting
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct FaultTests {
    /// Lends a broker, a connection to it, a channel with confirms and a queue.
    private func withQueue(
        recovers: Bool = true,
        _ body: (InProcessBroker, Connection, Channel, Queue) async throws -> Void
    ) async throws {
        try await InProcessBroker.run { broker in
            var configuration = broker.configuration
            if !recovers { configuration.recovery = .none }
            configuration.logger.logLevel = .critical
            try await Connection.withConnection(configuration) { connection in
                let channel = try await connection.openChannel()
                try await channel.selectConfirms()
                try await body(broker, connection, channel, try await channel.declareQueue("q"))
            }
        }
    }

    private func code(_ body: () async throws -> some Any) async -> AMQPError.Code? {
        do {
            _ = try await body()
            return nil
        } catch {
            return (error as? AMQPError)?.code
        }
    }

    @Test func `a nacked message is not stored, the others are`() async throws {
        try await withQueue { broker, _, _, queue in
            broker.inject(.nack, at: .publish(routingKey: "q"), skipping: 1, times: 2)
            var outcomes: [AMQPError.Code?] = []
            for number in 0..<4 {
                outcomes.append(await code { try await queue.publishConfirmed(Message(body: [UInt8(number)])) })
            }
            #expect(outcomes == [nil, .nacked, .nacked, nil])
            #expect(broker.messages(in: "q").map(\.message.body) == [[0], [3]])
        }
    }

    @Test func `a message comes back that has a route`() async throws {
        try await withQueue { broker, _, _, queue in
            broker.inject(.returned(.noConsumers, "NOBODY"), at: .publish())
            do {
                try await queue.publishConfirmed(Message(body: [1]))
                Issue.record("it was confirmed")
            } catch let error as AMQPError {
                #expect(error.code == .undeliverable && error.returned?.replyText == "NOBODY")
            }
            #expect(broker.queue("q")?.ready == 0)
        }
    }

    @Test func `the connection is cut with a frame, and recovery goes on`() async throws {
        try await InProcessBroker.run { broker in
            // start-ok, tune-ok, open, channel.open, queue.declare
            broker.inject(.cut, at: .frame(5))
            try await Connection.withConnection(broker.configuration) { connection in
                let channel = try await connection.openChannel()
                let error = await code { try await channel.declareQueue("q") }
                #expect(error == .outcomeUnknown || error == .connectionLost || error == nil)
                #expect(try await channel.declareQueue("q").name == "q")
                #expect(broker.connections.count == 1)
            }
        }
    }

    @Test(arguments: [false, true])
    func `a cut loses the outcome of what was published, stored or not`(isStored: Bool) async throws {
        try await withQueue { broker, _, _, queue in
            broker.inject(isStored ? .reset.afterwards : .cut, at: .publish())
            #expect(await code { try await queue.publishConfirmed(Message(body: [1])) } == .outcomeUnknown)
            try await queue.publishConfirmed(Message(body: [2]))
            #expect(broker.queue("q")?.ready == (isStored ? 2 : 1))
        }
    }

    @Test func `a cut ack has the message delivered again`() async throws {
        try await withQueue { broker, _, _, queue in
            try await queue.publishConfirmed(Message(body: [1]))
            broker.inject(.cut, at: .method("basic.ack"))
            var seen: [Bool] = []
            for try await message in try await queue.consume() {
                seen.append(message.redelivered)
                try message.ack()
                if seen.count == 2 { break }
            }
            #expect(seen == [false, true])
            try await broker.wait { $0.queue("q").map { $0.ready + $0.unsettled } == 0 }
        }
    }

    @Test func `what is ignored is not answered`() async throws {
        try await withQueue { broker, _, channel, _ in
            broker.inject(.ignore, at: .method("queue.declare", "other"))
            let error = await withCallTimeout(.milliseconds(20)) {
                await code { try await channel.declareQueue("other") }
            }
            #expect(error == .timedOut && broker.queue("other") == nil)
        }
    }

    @Test func `a frozen connection times out, and goes on when thawed`() async throws {
        try await withQueue { broker, _, channel, queue in
            broker.freeze()
            let error = await withCallTimeout(.milliseconds(20)) {
                await code { try await channel.declareQueue("other") }
            }
            #expect(error == .timedOut && broker.queue("other") == nil)
            broker.thaw()
            try await queue.publishConfirmed(Message(body: [1]))
            #expect(broker.queue("other") != nil)
        }
    }

    @Test func `a blocked client holds messages back until it is unblocked`() async throws {
        try await withQueue { broker, connection, _, queue in
            broker.block("the disk is full")
            try await broker.wait { _ in connection.blockedReason == "the disk is full" }
            let error = await withCallTimeout(.milliseconds(20)) {
                await code { try await queue.publish(Message(body: [1])) }
            }
            #expect(error == .blockedTooLong)
            broker.unblock()
            try await queue.publishConfirmed(Message(body: [1]))
            #expect(broker.queue("q")?.ready == 1)
        }
    }

    @Test func `a client that comes while the broker is blocked is told so too`() async throws {
        try await withQueue { broker, connection, _, queue in
            broker.block("the disk is full")
            broker.cut()
            try await broker.wait { _ in connection.statistics.losses == 1 && connection.state == .up }
            try await broker.wait { _ in connection.blockedReason == "the disk is full" }
            broker.unblock()
            try await queue.publishConfirmed(Message(body: [1]))
            broker.cut()
            try await broker.wait { _ in connection.statistics.losses == 2 && connection.state == .up }
            try await queue.publishConfirmed(Message(body: [2]))
            #expect(broker.queue("q")?.ready == 2)
        }
    }

    @Test func `channels and connections are closed with a code`() async throws {
        try await withQueue(recovers: false) { broker, connection, channel, queue in
            let other = try await connection.openChannel()
            broker.inject(.closeChannel(.preconditionFailed, "no"), at: .method("basic.get"))
            #expect(await code { try await queue.get() } == .preconditionFailed)
            #expect(channel.closeReason?.replyText == "PRECONDITION_FAILED - no")
            broker.closeConnections(.connectionForced, "moving house")
            #expect(try await connection.closed.replyText == "CONNECTION_FORCED - moving house")
            #expect(await code { try await other.declareQueue() } == .connectionClosed)
        }
    }

    @Test func `a consumer that the broker cancels is taken up again`() async throws {
        try await withQueue { broker, _, _, queue in
            var deliveries = try await queue.consume().makeAsyncIterator()
            broker.cancelConsumers(of: "q")
            broker.publish(try Message("1"), routingKey: "q")
            let message = try await deliveries.next()
            #expect(message?.words == "1")
            broker.deleteQueue("q")
            #expect(await code { try await deliveries.next() } == .consumerCancelled)
        }
    }

    @Test(arguments: [InProcessBroker.ConfirmOrder.each, .reversed, .together])
    func `confirms that are held go out in any order`(_ order: InProcessBroker.ConfirmOrder) async throws {
        try await withQueue { broker, _, channel, queue in
            broker.holdConfirms()
            let messages = (0..<5).map { Message(body: [UInt8($0)]) }
            let receipts = try await channel.defaultExchange.publish(contentsOf: messages, routingKey: "q")
            try await broker.wait { $0.heldConfirms == 5 }
            #expect(receipts.allSatisfy { $0.outcome == nil })
            broker.releaseConfirms(order, count: 2, nacks: true)
            for receipt in receipts[..<2] { #expect(await code { try await receipt.confirmed() } == .nacked) }
            #expect(receipts[2...].allSatisfy { $0.outcome == nil })
            broker.confirmAtOnce()
            for receipt in receipts[2...] { try await receipt.confirmed() }
            try await queue.publishConfirmed(Message(body: [5]))
        }
    }

    @Test func `a delivery can be what goes wrong`() async throws {
        try await withQueue { broker, _, _, queue in
            broker.inject(.cut, at: .delivery(from: "q"), times: 3)
            broker.publish(try Message("1"), routingKey: "q")
            for try await message in try await queue.consume() {
                // It never left the broker.
                #expect(!message.redelivered)
                try message.ack()
                break
            }
        }
    }

    @Test func `connections that are refused are tried again`() async throws {
        try await withQueue { broker, connection, _, queue in
            let events = connection.events
            broker.refuseConnections()
            broker.cut()
            let publishing = Task { try await queue.publishConfirmed(Message(body: [1])) }
            var tries = 0
            for await event in events {
                if case .trying = event { tries += 1 }
                // The first one has failed.
                if tries == 2 { break }
            }
            #expect(tries == 2 && broker.connections.isEmpty)
            broker.acceptConnections()
            switch await publishing.result {
            case .success: #expect(broker.queue("q")?.ready == 1)
            // It was on its way already.
            case .failure(let error): #expect((error as? AMQPError)?.code == .outcomeUnknown)
            }
        }
    }

    @Test func `a fault is aimed at one connection, by its number or its name`() async throws {
        try await withQueue { broker, _, _, queue in
            var configuration = broker.configuration
            configuration.connectionName = "other"
            try await Connection.withConnection(configuration) { connection in
                let channel = try await connection.openChannel()
                try await channel.selectConfirms()
                let theirs = try channel.queue("q")
                let own = try #require(broker.connections.first?.id)
                broker.inject(.nack, at: .publish().on(connection: own))
                broker.inject(.nack, at: .publish().on(connection: "other"), skipping: 1)
                var outcomes: [AMQPError.Code?] = []
                for publishing in [theirs, queue, theirs, queue, theirs] {
                    outcomes.append(await code { try await publishing.publishConfirmed(Message(body: [1])) })
                }
                #expect(outcomes == [nil, .nacked, .nacked, nil, nil])
            }
        }
    }

    @Test func `a test sees whether its faults have come`() async throws {
        try await withQueue { broker, _, _, queue in
            broker.inject(.nack, at: .publish(routingKey: "q"), times: 2)
            broker.inject(.cut, at: .method("queue.declare", "never"))
            var pending = [broker.pendingFaults]
            for _ in 0..<2 {
                #expect(await code { try await queue.publishConfirmed(Message(body: [1])) } == .nacked)
                pending.append(broker.pendingFaults)
            }
            #expect(pending == [2, 2, 1])
        }
    }

    @Test func `faults that were removed don't come`() async throws {
        try await withQueue { broker, _, _, queue in
            broker.inject(.nack, at: .publish(), times: 100)
            #expect(await code { try await queue.publishConfirmed(Message(body: [1])) } == .nacked)
            broker.removeFaults()
            try await queue.publishConfirmed(Message(body: [1]))
        }
    }
}
