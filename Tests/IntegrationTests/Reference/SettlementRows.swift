import RabbitMQ
import TestSupport
import Testing

@Suite("Reference: acknowledging and rejecting", .timeLimit(.minutes(1)))
struct SettlementRows {
    @Test("row 31: ack settles this one message and no other")
    func ackOne() async throws {
        try await TestBroker.withQueue { connection, _, queue, exchange in
            try await exchange.publishNumbers(0..<5, to: queue)
            try await connection.withChannel { channel in
                let same = try await channel.declareQueue(queue.name, exclusive: true, passive: true)
                try await connection.waitForMessages(5, in: queue)
                var messages: [IncomingMessage] = []
                for _ in 0..<5 { messages.append(try #require(try await same.get())) }
                // Out of order, and one between those that are not.
                for index in [3, 1] { try messages[index].ack() }
                #expect(throws: AMQPError.self) { try messages[1].ack() }
            }
            try await connection.waitForMessages(3, in: queue)
            var left: [Int?] = []
            while let message = try await queue.get(noAck: true) { left.append(message.number) }
            #expect(left == [0, 2, 4])
        }
    }

    @Test("row 31: many acks in any order all arrive", .timeLimit(.minutes(1)))
    func acksInAnyOrder() async throws {
        try await TestBroker.withQueue { connection, _, queue, exchange in
            try await exchange.publishNumbers(0..<2000, to: queue)
            try await connection.withChannel { channel in
                let same = try await channel.declareQueue(queue.name, exclusive: true, passive: true)
                var held: [IncomingMessage] = []
                var count = 0
                for try await message in try await same.consume() {
                    count += 1
                    held.append(message)
                    if held.count == 100 || count == 2000 {
                        // One of each hundred stays unsettled.
                        for message in held.shuffled() where message.number?.isMultiple(of: 100) == false {
                            try message.ack()
                        }
                        held = []
                    }
                    if count == 2000 { break }
                }
            }
            try await connection.waitForMessages(20, in: queue)
            while let message = try await queue.get(noAck: true) {
                #expect(message.number?.isMultiple(of: 100) == true)
                #expect(message.redelivered)
            }
        }
    }

    @Test("row 31: an ack on a dead channel throws, whoever closed it, and the message is delivered again")
    func deadChannel() async throws {
        try await TestBroker.withQueue { connection, _, queue, exchange in
            try await exchange.publishNumbers(0..<1, to: queue)
            try await connection.waitForMessages(1, in: queue)
            let closed = try await connection.openChannel()
            let first = try #require(
                try await closed.declareQueue(queue.name, exclusive: true, passive: true).get()
            )
            await closed.close()
            let byUs = await expectError(.staleDelivery) { try first.ack() }
            #expect((byUs?.underlying as? AMQPError)?.code == .channelClosed)
            await expectError(.staleDelivery) { try first.reject() }

            try await connection.waitForMessages(1, in: queue)
            let refused = try await connection.openChannel()
            let second = try #require(
                try await refused.declareQueue(queue.name, exclusive: true, passive: true).get()
            )
            #expect(second.redelivered)
            await expectError(.notFound) {
                try await refused.declareQueue(TestBroker.uniqueName("missing"), passive: true)
            }
            let byServer = await expectError(.staleDelivery) { try second.ack() }
            #expect((byServer?.underlying as? AMQPError)?.code == .notFound)
            try await connection.waitForMessages(1, in: queue)
        }
    }

    @Test("row 31: an ack after the connection was lost throws, and keeps the reason")
    func deadConnection() async throws {
        try await TCPProxy.run { proxy in
            let connection = try await Connection.connect(TestBroker.configuration(through: proxy))
            let channel = try await connection.openChannel()
            let queue = try await channel.declareQueue(exclusive: true)
            try await channel.declareExchange("").publishNumbers(0..<1, to: queue)
            var iterator = try await queue.consume().makeAsyncIterator()
            let message = try #require(try await iterator.next())
            proxy.cut()
            _ = try await connection.closed
            let error = await expectError(.staleDelivery) { try message.ack() }
            #expect((error?.underlying as? AMQPError)?.code == .connectionLost)
        }
    }

    @Test("row 32: reject puts a message back, or dead-letters it if it is not to be requeued")
    func reject() async throws {
        try await TestBroker.withChannel { connection, channel in
            let dead = try await channel.declareQueue(exclusive: true)
            let queue = try await channel.declareQueue(
                exclusive: true,
                arguments: ["x-dead-letter-exchange": "", "x-dead-letter-routing-key": .string(dead.name)]
            )
            try await channel.declareExchange("").publishNumbers(5..<6, to: queue)
            var iterator = try await queue.consume().makeAsyncIterator()
            let first = try #require(try await iterator.next())
            #expect(!first.redelivered)
            try first.reject()
            let second = try #require(try await iterator.next())
            #expect(second.redelivered)
            try second.reject(requeue: false)
            #expect { try second.ack() } throws: { AMQPError.Code.alreadySettled ~= $0 }
            try await connection.waitForMessages(1, in: dead)
            let letter = try #require(try await dead.get(noAck: true))
            #expect(letter.number == 5)
            let death = letter.headers?["x-death"]?.arrayValue?.first?.tableValue
            #expect(death?["reason"] == "rejected")
            #expect(death?["queue"]?.stringValue == queue.name)
            #expect(death?["time"]?.dateValue != nil)
            #expect(try await connection.counts(of: queue).messages == 0)
        }
    }
}
