import RabbitMQ
import Synchronization
import TestSupport
import Testing

@Suite("Publisher confirms", .timeLimit(.minutes(4)))
struct ConfirmTests {
    @Test("a message that reaches a queue is confirmed")
    func confirmed() async throws {
        try await TestBroker.withChannel { _, channel in
            try await channel.selectConfirms()
            let queue = try await channel.declareQueue(exclusive: true)
            let exchange = try await channel.declareExchange("")
            try await exchange.publishConfirmed(try Message("x"), routingKey: queue.name)
            #expect(try await queue.get()?.body == Array("x".utf8))
        }
    }

    @Test("an unroutable mandatory message is returned, with code, text and the message")
    func returned() async throws {
        try await TestBroker.withChannel { _, channel in
            try await channel.selectConfirms()
            let exchange = try await channel.declareExchange("")
            let message = try Message("lost", messageID: "17")
            let key = TestBroker.uniqueName("nowhere")
            let error = try await #require(throws: AMQPError.self) {
                try await exchange.publishConfirmed(message, routingKey: key)
            }
            #expect(error.code == .undeliverable)
            #expect(error.replyCode == .noRoute)
            #expect(error.replyText == "NO_ROUTE")
            #expect(error.returned?.message == message)
            #expect(error.returned?.routingKey == key)
            // The next is not confused by it.
            try await exchange.publishConfirmed(message, routingKey: key, mandatory: false)
        }
    }

    @Test("a message refused for length (reject-publish) is nacked")
    func nacked() async throws {
        try await TestBroker.withChannel { _, channel in
            try await channel.selectConfirms()
            let queue = try await channel.declareQueue(
                exclusive: true,
                arguments: ["x-max-length": 1, "x-overflow": "reject-publish"]
            )
            let exchange = try await channel.declareExchange("")
            try await exchange.publishConfirmed(try Message("1"), routingKey: queue.name)
            await #expect(throws: AMQPError.self) {
                while true { try await exchange.publishConfirmed(try Message("2"), routingKey: queue.name) }
            }
            let error = await #expect(throws: AMQPError.self) {
                try await exchange.publishConfirmed(try Message("3"), routingKey: queue.name)
            }
            #expect(error?.code == .nacked)
        }
    }

    @Test("a message to a missing exchange fails with 404 and the broker's text")
    func missingExchange() async throws {
        try await TestBroker.withConnection { connection in
            let channel = try await connection.openChannel()
            try await channel.selectConfirms()
            let name = TestBroker.uniqueName("exchange")
            let exchange = try await channel.declareExchange(name, durable: false)
            try await connection.withChannel {
                try await $0.declareExchange(name, durable: false).delete()
            }
            let error = await #expect(throws: AMQPError.self) {
                try await exchange.publishConfirmed(try Message("x"), routingKey: "k")
            }
            #expect(error?.code == .notFound)
            #expect(error?.replyText?.contains(name) == true)
        }
    }

    @Test("one bad message among many: the others are not known to be lost, and worth another try")
    func oneBadMessage() async throws {
        try await Scratch.use { scratch, connection, _ in
            let channel = try await connection.openChannel()
            let queue = try await channel.declareQueue(scratch.queue())
            try await channel.selectConfirms()
            let missing = try channel.exchange(TestBroker.uniqueName("gone"))
            var receipts: [PublishReceipt] = []
            for index in 0..<401 {
                let exchange = index == 200 ? missing : channel.defaultExchange
                do {
                    receipts.append(try await exchange.publish(Message("x"), routingKey: queue.name))
                } catch let error as AMQPError {
                    // The broker was quicker. This one was not sent.
                    #expect(index > 200)
                    #expect(error.code == .notFound)
                    #expect(error.isRetryable)
                    break
                }
            }
            var codes: [AMQPError.Code: Int] = [:]
            for (index, receipt) in receipts.enumerated() {
                do {
                    try await receipt.confirmed()
                    #expect(index < 200)
                } catch let error as AMQPError {
                    codes[error.code, default: 0] += 1
                    #expect(error.code == (index == 200 ? .notFound : .outcomeUnknown))
                    #expect(error.isRetryable == (index != 200))
                }
            }
            #expect(codes[.notFound] == 1)
            #expect(receipts.count >= 201)
            try await connection.withChannel { other in
                let arrived = try other.queue(queue.name)
                try await eventually("the 200 before it") { try await arrived.readyCount() == 200 }
            }
        }
    }

    @Test("on a lost connection the outcome is unknown")
    func lost() async throws {
        let peer = try await TestBroker.withChannel { _, channel in
            try await channel.selectConfirms()
            let exchange = try await channel.declareExchange("")
            let receipt = try await exchange.publish(try Message("x"), routingKey: "nowhere", mandatory: false)
            await channel.close()
            return receipt
        }
        // Either the broker was quicker, or the message's fate is unknown; never silence.
        switch peer.outcome {
        case .success: break
        case .failure(let error): #expect(error.code == .outcomeUnknown)
        case nil: Issue.record("no outcome after the channel was closed")
        }
    }

    @Test("without confirmSelect, waiting for a confirm says so")
    func unsupported() async throws {
        try await TestBroker.withChannel { _, channel in
            let exchange = try await channel.declareExchange("")
            let receipt = try await exchange.publish(try Message("x"), routingKey: "nowhere", mandatory: false)
            let error = await #expect(throws: AMQPError.self) { try await receipt.confirmed() }
            #expect(error?.code == .unsupported)
        }
    }

    @Test("200 tasks publish 200,000 messages to a short queue, 1 % to nowhere: every outcome is accounted for")
    func accounting() async throws {
        try await TestBroker.withConnection { connection in
            let channel = try await connection.openChannel()
            try await channel.selectConfirms()
            let queue = try await channel.declareQueue(
                exclusive: true,
                arguments: ["x-max-length": 1000, "x-overflow": "reject-publish"]
            )
            let exchange = try await channel.declareExchange("")
            let nowhere = TestBroker.uniqueName("nowhere")
            let handled = Atomic<Int>(0)
            channel.setReturnHandler { _ in handled.add(1, ordering: .relaxed) }

            var total = Outcomes()
            try await withThrowingTaskGroup(of: Outcomes.self) { group in
                for task in 0..<200 {
                    group.addTask {
                        var outcomes = Outcomes()
                        for number in 0..<1000 {
                            let key = number % 100 == 7 ? nowhere : queue.name
                            let message = Message(body: Array("\(task)-\(number)".utf8))
                            do {
                                try await exchange.publishConfirmed(message, routingKey: key)
                                outcomes.confirmed += 1
                            } catch AMQPError.Code.undeliverable {
                                outcomes.returned += 1
                            } catch AMQPError.Code.nacked {
                                outcomes.nacked += 1
                            }
                        }
                        return outcomes
                    }
                }
                for try await outcomes in group { total = total + outcomes }
            }
            #expect(total.returned == 2000)
            #expect(total.confirmed + total.nacked + total.returned == 200_000)
            #expect(channel.unconfirmedCount == 0)
            try await eventually("every return was handled") { handled.load(ordering: .relaxed) == 2000 }
            // What the broker has is what it confirmed.
            let counted = try await connection.withChannel {
                try await $0.declareQueue(queue.name, exclusive: true, passive: true).messageCount
            }
            #expect(counted == total.confirmed)
        }
    }

    struct Outcomes: Sendable {
        var confirmed = 0
        var nacked = 0
        var returned = 0

        static func + (left: Outcomes, right: Outcomes) -> Outcomes {
            Outcomes(
                confirmed: left.confirmed + right.confirmed,
                nacked: left.nacked + right.nacked,
                returned: left.returned + right.returned
            )
        }
    }

    @Test("1,000 tasks on one channel, some of them cancelled: the others get their outcomes")
    func concurrency() async throws {
        try await TestBroker.withChannel { _, channel in
            try await channel.selectConfirms(maxUnconfirmed: 50)
            let queue = try await channel.declareQueue(exclusive: true)
            let exchange = try await channel.declareExchange("")
            let tasks = (0..<1000).map { number in
                Task {
                    try await exchange.publishConfirmed(
                        Message(body: Array("\(number)".utf8)),
                        routingKey: queue.name
                    )
                }
            }
            for number in stride(from: 0, to: 1000, by: 3) { tasks[number].cancel() }
            var confirmed = 0
            for (number, task) in tasks.enumerated() {
                switch await task.result {
                case .success: confirmed += 1
                case .failure(let error):
                    #expect(error is CancellationError)
                    #expect(number % 3 == 0)
                }
            }
            #expect(confirmed >= 666)
            try await channel.waitForConfirms()
            #expect(channel.unconfirmedCount == 0)
        }
    }

    @Test("a sequence of messages is published in one call, and waited for together")
    func sequence() async throws {
        try await TestBroker.withChannel { connection, channel in
            try await channel.selectConfirms()
            let queue = try await channel.declareQueue(exclusive: true)
            let exchange = try await channel.declareExchange("")
            let messages = (0..<5000).map { Message(body: Array("\($0)".utf8)) }
            let receipts = try await exchange.publish(contentsOf: messages, routingKey: queue.name)
            try await channel.waitForConfirms()
            #expect(receipts.allSatisfy { if case .success = $0.outcome { true } else { false } })
            #expect(try await queue.purge() == 5000)
        }
    }

    @Test("returned messages come as a sequence, which ends with the channel")
    func returnedSequence() async throws {
        try await TestBroker.withConnection { connection in
            let channel = try await connection.openChannel()
            let returned = channel.returnedMessages
            let exchange = try await channel.declareExchange("")
            let key = TestBroker.uniqueName("nowhere")
            for number in 0..<10 {
                try await exchange.publish(Message(body: Array("\(number)".utf8)), routingKey: key)
            }
            var texts: [String] = []
            for await message in returned {
                texts.append(try message.message.text())
                if texts.count == 10 { await channel.close() }
            }
            #expect(texts == (0..<10).map(String.init))
        }
    }
}
