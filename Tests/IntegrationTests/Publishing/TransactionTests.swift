import RabbitMQ
import TestSupport
import Testing

@Suite("Transactions and recover", .timeLimit(.minutes(1)))
struct TransactionTests {
    @Test("what is published counts with the commit, and is dropped by a rollback")
    func publishing() async throws {
        try await TestBroker.withChannel { _, channel in
            try await channel.selectTransactions()
            let queue = try await channel.declareQueue(exclusive: true)
            let exchange = try await channel.declareExchange("")
            try await exchange.publish(try Message("dropped"), routingKey: queue.name)
            try await channel.rollback()
            try await channel.withTransaction {
                try await exchange.publish(try Message("kept"), routingKey: queue.name)
            }
            let message = try #require(try await queue.get())
            #expect(try message.message.text() == "kept")
            #expect(try await queue.get() == nil)
        }
    }

    @Test("after a rollback a delivery waits to be settled again")
    func settling() async throws {
        try await TestBroker.withChannel { connection, channel in
            try await channel.selectTransactions()
            let queue = try await channel.declareQueue(exclusive: true)
            let exchange = try await channel.declareExchange("")
            for number in 0..<3 { try await exchange.publish(try Message("\(number)"), routingKey: queue.name) }
            try await channel.commit()
            let messages = try await [queue.get(), queue.get(), queue.get()].compactMap { $0 }
            try #require(messages.count == 3)
            for message in messages { try message.ack() }
            #expect(throws: AMQPError.self) { try messages[1].ack() }
            try await channel.rollback()
            try messages[0].ack()
            try messages[2].ack()
            try await channel.commit()
            #expect(throws: AMQPError.self) { try messages[0].ack() }
            // The one in the middle is still to be settled: recover brings it again, and it alone.
            try await channel.recover()
            let again = try #require(try await queue.get())
            #expect(again.redelivered)
            #expect(try again.message.text() == "1")
            #expect(try await queue.get() == nil)
        }
    }

    @Test("recover has unsettled deliveries come again; the old ones can't be settled")
    func recover() async throws {
        try await TestBroker.withChannel { _, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            let exchange = try await channel.declareExchange("")
            try await exchange.publish(try Message("x"), routingKey: queue.name)
            let first = try #require(try await queue.get())
            try await channel.recover()
            let error = #expect(throws: AMQPError.self) { try first.ack() }
            #expect(error?.code == .alreadySettled)
            let second = try #require(try await queue.get())
            #expect(second.redelivered)
            try second.ack()
        }
    }

    @Test("a commit on a channel without transactions fails and closes the channel alone")
    func notTransactional() async throws {
        try await TestBroker.withConnection { connection in
            let channel = try await connection.openChannel()
            let error = await #expect(throws: AMQPError.self) { try await channel.commit() }
            #expect(error?.code == .preconditionFailed)
            _ = try await connection.openChannel()
        }
    }

    @Test("many tasks that publish, settle, call and commit on one channel get through, and nothing is lost")
    func manyTasks() async throws {
        try await TestBroker.withChannel { _, channel in
            try await channel.selectTransactions()
            let queue = try await channel.declareQueue(exclusive: true)
            let exchange = channel.defaultExchange
            let (tasks, rounds, messages) = (8, 20, 5)
            let deliveries = try await queue.consume()
            let consuming = Task {
                var bodies: Set<String> = []
                for try await message in deliveries {
                    bodies.insert(try message.text())
                    try message.ack()
                    if bodies.count == tasks * rounds * messages { break }
                }
                return bodies.count
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for task in 0..<tasks {
                    group.addTask {
                        for round in 0..<rounds {
                            for number in 0..<messages {
                                try await exchange.publish(
                                    Message("\(task) \(round) \(number)"),
                                    routingKey: queue.name
                                )
                            }
                            if round % 7 == 3 { try await channel.setQos(prefetchCount: 100) }
                            // A commit that was sent counts; one that was not is made up for by the next.
                            let committing = Task { try await channel.commit() }
                            if round % 4 == 1 { committing.cancel() }
                            _ = await committing.result
                        }
                    }
                }
                try await group.waitForAll()
            }
            try await channel.commit()
            let count = try await within(.seconds(30), "all messages") { try await consuming.value }
            #expect(count == tasks * rounds * messages)
            try await channel.commit()
            #expect(try await queue.purge() == 0)
            #expect(channel.closeReason == nil)
        }
    }
}
