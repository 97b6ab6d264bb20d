import RabbitMQ
import RabbitMQTesting
import Testing

@Suite struct SettlementRecorderTests {
    private struct Failure: Error {}

    private let recorder = SettlementRecorder()

    private func message(redelivered: Bool = false) throws -> IncomingMessage {
        recorder.message(try Message("text"), redelivered: redelivered)
    }

    @Test func `a message says what it was made with`() throws {
        let message = recorder.message(
            try Message("text"),
            exchangeName: "orders",
            routingKey: "eu",
            redelivered: true,
            consumerTag: "worker"
        )
        #expect(message.words == "text" && message.exchangeName == "orders" && message.routingKey == "eu")
        #expect(message.redelivered && message.consumerTag == "worker" && message.deliveryTag == 1)
        #expect(try recorder.message(Message("text"), queue: "q").routingKey == "q")
    }

    @Test func `each way of settling is recorded, in order`() throws {
        let messages = try (0..<5).map { _ in try message() }
        try messages[1].reject(requeue: true)
        try messages[0].ack()
        try messages[2].nack(requeue: false)
        try messages[3].settle(.deadLetter)
        #expect(
            recorder.settlements.map(\.description) == [
                "2: requeue", "1: acknowledge", "3: deadLetter", "4: deadLetter",
            ]
        )
        #expect(recorder.unsettled == [5])
        #expect(recorder.disposition(of: messages[4]) == nil)
        #expect(recorder.disposition(of: messages[0]) == .acknowledge)
    }

    @Test func `multiple means the earlier ones too`() throws {
        let messages = try (0..<4).map { _ in try message() }
        try messages[0].reject(requeue: false)
        try messages[2].ack(multiple: true)
        #expect(recorder.settlements.map(\.deliveryTag) == [1, 2, 3])
        #expect(recorder.disposition(of: messages[1]) == .acknowledge)
        #expect(recorder.unsettled == [4])
    }

    @Test func `a second settlement is refused, as is one of what needs none`() throws {
        let message = try message()
        try message.ack()
        #expect { try message.ack() } throws: { ($0 as? AMQPError)?.code == .alreadySettled }
        let unacknowledged = recorder.message(try Message("text"), noAck: true)
        #expect { try unacknowledged.ack() } throws: { ($0 as? AMQPError)?.code == .alreadySettled }
        #expect(recorder.settlements.count == 1)
    }

    @Test func `process settles by how the handler ends`() async throws {
        let (first, second, third) = (try message(), try message(), try message(redelivered: true))
        try await first.process { _ in }
        for message in [second, third] {
            await #expect(throws: Failure.self) { try await message.process { _ in throw Failure() } }
        }
        #expect(recorder.disposition(of: first) == .acknowledge)
        #expect(recorder.disposition(of: second) == .requeue)
        #expect(recorder.disposition(of: third) == .deadLetter)
    }

    @Test func `a decoded message is settled as its message`() async throws {
        let decoded = recorder.decoded(42)
        #expect(try await decoded.process { $0 + 1 } == 43)
        #expect(recorder.disposition(of: decoded.message) == .acknowledge)
    }

    @Test func `once the channel has ended, nothing can be settled`() throws {
        let message = try message()
        #expect(!message.isStale)
        recorder.endChannel()
        #expect(message.isStale)
        #expect { try message.ack() } throws: { ($0 as? AMQPError)?.code == .staleDelivery }
        #expect(recorder.settlements.isEmpty)
    }

    @Test(.timeLimit(.minutes(1)))
    func `a hundred thousand that wait are settled and looked at one by one`() throws {
        let messages = try (0..<100_000).map { _ in try message() }
        var known = 0
        for message in messages {
            try message.ack()
            if recorder.disposition(of: message) == .acknowledge { known += 1 }
        }
        #expect(known == 100_000 && recorder.unsettled.isEmpty)
    }

    @Test func `what needs no acknowledgement is numbered and does not wait`() throws {
        let first = try message()
        _ = recorder.message(try Message("text"), noAck: true)
        let third = try message()
        #expect(recorder.unsettled == [1, 3])
        try third.nack(requeue: true, multiple: true)
        #expect(recorder.settlements.map(\.description) == ["1: requeue", "3: requeue"])
        #expect(recorder.disposition(of: first) == .requeue && recorder.unsettled.isEmpty)
    }

    @Test func `a hundred thousand are recorded`() throws {
        for _ in 0..<100_000 { try message().ack() }
        #expect(recorder.settlements.count == 100_000)
    }
}

@Suite struct ReceiptMakerTests {
    @Test func `a receipt has the outcome that the test sets, and only the first`() async throws {
        let maker = ReceiptMaker()
        #expect(maker.receipt.outcome == nil)
        async let waiting: Void = maker.receipt.confirmed(timeout: .seconds(10))
        maker.confirm()
        maker.fail(AMQPError(.nacked, "too late"))
        try await waiting
        try maker.receipt.outcome?.get()
        try await PublishReceipt.ofConfirmed.confirmed()
    }

    @Test func `a failed receipt throws why`() async {
        let receipt = PublishReceipt.ofFailed(AMQPError(.nacked, "the disk is full"))
        let error = await #expect(throws: AMQPError.self) { try await receipt.confirmed() }
        #expect(error?.code == .nacked)
    }

    @Test func `an outcome that does not come ends with the timeout`() async {
        let error = await #expect(throws: AMQPError.self) {
            try await ReceiptMaker().receipt.confirmed(timeout: .milliseconds(5))
        }
        #expect(error?.code == .timedOut)
    }
}
