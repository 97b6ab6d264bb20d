import RabbitMQ
import TestSupport
import Testing

@Suite("Scopes that settle a message")
struct ProcessingTests {
    private struct Failure: Error {}

    /// A queue, the queue to which it dead-letters, and the default exchange.
    private struct Fixture {
        let queue: Queue
        let dead: Queue
        let exchange: Exchange

        init(_ channel: Channel, type: String = "classic") async throws {
            dead = try await channel.declareQueue(exclusive: true)
            let isQuorum = type == "quorum"
            queue = try await channel.declareQueue(
                TestBroker.uniqueName("process"),
                exclusive: !isQuorum,
                arguments: [
                    "x-queue-type": .string(type),
                    "x-dead-letter-exchange": "",
                    "x-dead-letter-routing-key": .string(dead.name),
                ]
            )
            exchange = try await channel.declareExchange("")
        }

        func publish() async throws { try await exchange.publish(Message("a message"), routingKey: queue.name) }

        /// Waits for the next delivery: a message that was requeued may take a moment.
        func next(of queue: Queue) async throws -> IncomingMessage {
            var message: IncomingMessage?
            try await eventually("a message in \(queue.name)") {
                message = try await queue.get()
                return message != nil
            }
            return try #require(message)
        }

        func expectEmpty() async throws {
            let first = try await queue.get()
            let second = try await dead.get()
            #expect(first == nil && second == nil)
        }
    }

    @Test("a message is acknowledged when the body returns, and the body's result is given")
    func acknowledges() async throws {
        try await TestBroker.withChannel { _, channel in
            let fixture = try await Fixture(channel)
            try await fixture.publish()
            let message = try await fixture.next(of: fixture.queue)
            let text = try await message.process { try $0.text() }
            #expect(text == "a message")
            #expect(throws: AMQPError.self) { try message.ack() }
            try await fixture.expectEmpty()
        }
    }

    @Test("by default a message that fails is delivered once more, then dead-lettered")
    func requeuesOnce() async throws {
        try await TestBroker.withChannel { _, channel in
            let fixture = try await Fixture(channel)
            try await fixture.publish()
            let first = try await fixture.next(of: fixture.queue)
            #expect(first.attempt == 1)
            await #expect(throws: Failure.self) { try await first.process { _ in throw Failure() } }
            let second = try await fixture.next(of: fixture.queue)
            #expect(second.redelivered)
            #expect(second.attempt == 2)
            await #expect(throws: Failure.self) { try await second.process { _ in throw Failure() } }
            let dead = try await fixture.next(of: fixture.dead)
            #expect(dead.deaths.map(\.queue) == [fixture.queue.name])
            #expect(dead.deaths.map(\.reason) == [.rejected])
            #expect(dead.deaths.map(\.count) == [1])
            #expect(dead.deaths.first?.time != nil)
            #expect(dead.deaths.first?.routingKeys == [fixture.queue.name])
            #expect(dead.firstDeath?.queue == fixture.queue.name)
            #expect(dead.attempt == 2)
            try await dead.process { _ in }
            try await fixture.expectEmpty()
        }
    }

    @Test("policies: dead-letter, requeue, acknowledge, decided by the error")
    func policies() async throws {
        try await TestBroker.withChannel { _, channel in
            let fixture = try await Fixture(channel)
            for policy in [
                FailurePolicy.deadLetter, .decide { error, _ in error is Failure ? .deadLetter : .requeue },
            ] {
                try await fixture.publish()
                let message = try await fixture.next(of: fixture.queue)
                await #expect(throws: Failure.self) {
                    try await message.process(onFailure: policy) { _ in throw Failure() }
                }
                try await fixture.next(of: fixture.dead).ack()
            }
            try await fixture.publish()
            for _ in 0..<3 {
                let message = try await fixture.next(of: fixture.queue)
                await #expect(throws: Failure.self) {
                    try await message.process(onFailure: .requeue) { _ in throw Failure() }
                }
            }
            let last = try await fixture.next(of: fixture.queue)
            await #expect(throws: Failure.self) {
                try await last.process(onFailure: .acknowledge) { _ in throw Failure() }
            }
            try await fixture.expectEmpty()
        }
    }

    @Test("a body that settles by itself is left alone")
    func settledByBody() async throws {
        try await TestBroker.withChannel { _, channel in
            let fixture = try await Fixture(channel)
            try await fixture.publish()
            try await fixture.next(of: fixture.queue).process { try $0.reject(requeue: false) }
            let dead = try await fixture.next(of: fixture.dead)
            await #expect(throws: Failure.self) {
                try await dead.process { message in
                    try message.ack()
                    throw Failure()
                }
            }
            try await fixture.expectEmpty()
            #expect(channel.closeReason == nil)
        }
    }

    @Test("a message without acknowledgement is only lent")
    func noAck() async throws {
        try await TestBroker.withChannel { _, channel in
            let fixture = try await Fixture(channel)
            try await fixture.publish()
            let message = try #require(try await fixture.queue.get(noAck: true))
            try await message.process { _ in }
            await #expect(throws: Failure.self) { try await message.process { _ in throw Failure() } }
            #expect(channel.closeReason == nil)
        }
    }

    @Test("cancelling the task requeues, whatever the policy")
    func cancellation() async throws {
        try await TestBroker.withChannel { _, channel in
            let fixture = try await Fixture(channel)
            try await fixture.publish()
            let message = try await fixture.next(of: fixture.queue)
            let task = Task {
                try await message.process(onFailure: .deadLetter) { _ in try await Task.sleep(for: .seconds(60)) }
            }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            let again = try await fixture.next(of: fixture.queue)
            #expect(again.redelivered)
            try again.ack()
            try await fixture.expectEmpty()
        }
    }

    @Test("a channel that is gone when the body returns is told as a stale delivery")
    func stale() async throws {
        try await TestBroker.withConnection { connection in
            let channel = try await connection.openChannel()
            let fixture = try await Fixture(channel)
            try await fixture.publish()
            let message = try await fixture.next(of: fixture.queue)
            await #expect {
                try await message.process { _ in await channel.close() }
            } throws: { ($0 as? AMQPError)?.code == .staleDelivery }
            await #expect(throws: Failure.self) { try await message.process { _ in throw Failure() } }
        }
    }

    @Test("a quorum queue counts attempts, and the policy goes by them")
    func quorum() async throws {
        try await TestBroker.withChannel { _, channel in
            let fixture = try await Fixture(channel, type: "quorum")
            try await fixture.publish()
            var attempts: [Int] = []
            for _ in 0..<4 {
                let message = try await fixture.next(of: fixture.queue)
                attempts.append(message.attempt)
                await #expect(throws: Failure.self) {
                    try await message.process(onFailure: .requeue(attempts: 4)) { _ in throw Failure() }
                }
            }
            #expect(attempts == [1, 2, 3, 4])
            let dead = try await fixture.next(of: fixture.dead)
            #expect(dead.firstDeath?.reason == .rejected)
            try dead.ack()
            try await fixture.queue.delete(ifUnused: false, ifEmpty: false)
        }
    }
}
