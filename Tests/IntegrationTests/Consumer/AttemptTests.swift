import RabbitMQ
import Synchronization
import TestSupport
import Testing

/// Attempts are counted alike whatever the broker's version and the queue's type.
@Suite("Attempts to process a message", .timeLimit(.minutes(2)))
struct AttemptTests {
    private struct Failure: Error {}

    struct Cycle: Sendable, CustomTestStringConvertible {
        var work: String
        var wait: String
        /// How the message is dead-lettered.
        var usesNack: Bool

        var testDescription: String { "\(work), waits in \(wait), by \(usesNack ? "nack" : "reject")" }

        static let all = ["classic", "quorum"].flatMap { work in
            ["classic", "quorum"].flatMap { wait in
                [false, true].map { Cycle(work: work, wait: wait, usesNack: $0) }
            }
        }
    }

    @Test("a message that waits in another queue between its attempts counts one each time", arguments: Cycle.all)
    func cycles(_ cycle: Cycle) async throws {
        try await Scratch.use { scratch, _, channel in
            let (work, wait) = (scratch.queue("work"), scratch.queue("wait"))
            var arguments: FieldTable = [
                "x-queue-type": .string(cycle.work), "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": .string(wait),
            ]
            let queue = try await channel.declareQueue(work, arguments: QueueArguments(arguments))
            arguments["x-queue-type"] = .string(cycle.wait)
            arguments["x-dead-letter-routing-key"] = .string(work)
            arguments["x-message-ttl"] = 20
            try await channel.declareQueue(wait, arguments: QueueArguments(arguments))
            try await channel.send("x", to: work)
            var attempts: [Int] = []
            try await channel.setQos(prefetchCount: 1)
            for try await message in try await queue.consume() {
                attempts.append(message.attempt)
                if attempts.count == 5 {
                    try message.ack()
                    break
                }
                if cycle.usesNack { try message.nack(requeue: false) } else { try message.reject(requeue: false) }
            }
            #expect(attempts == [1, 2, 3, 4, 5])
        }
    }

    @Test("what another client gave back is tried as often as the policy says", arguments: [true, false])
    func givenBack(isTypeKnown: Bool) async throws {
        try await Scratch.use { scratch, connection, channel in
            let end = try await channel.declareQueue(scratch.queue("end"))
            let queue = try await Self.declare(scratch.queue(), "quorum", isTypeKnown, end: end)
            try await channel.send("x", to: queue.name)
            try await connection.withChannel { other in
                var message: IncomingMessage?
                try await eventually("a message") {
                    message = try await other.queue(queue.name).get()
                    return message != nil
                }
                try message?.nack()
            }
            // Before 4.3 giving back counts as any return.
            let expected = try BrokerVersion(of: connection) >= .v4_3 ? 5 : 4
            #expect(try await tries(queue, .requeue(attempts: 5), end) == expected)
        }
    }

    @Test(
        "one that comes from a dead-letter exchange gets its second try",
        arguments: ["classic", "quorum"],
        [true, false]
    )
    func secondTry(type: String, isTypeKnown: Bool) async throws {
        try await Scratch.use { scratch, _, channel in
            let end = try await channel.declareQueue(scratch.queue("end"))
            let dead = try await Self.declare(scratch.queue("dead"), type, isTypeKnown, end: end)
            let work = try await Self.declare(scratch.queue("work"), type, isTypeKnown, end: dead)
            for policy in [FailurePolicy.requeueOnce, .deadLetter, .requeue(attempts: 4)] {
                try await channel.send("x", to: work.name)
                _ = try await tries(work, policy, dead)
                #expect(try await tries(dead, .requeueOnce, end) == 2)
            }
        }
    }

    @Test(
        "a publisher's own counts neither trap nor keep a message coming",
        arguments: [
            ["x-delivery-count": 0], ["x-delivery-count": 1, "x-acquired-count": 1], ["x-delivery-count": .int64(.max)],
            ["x-delivery-count": "many", "x-acquired-count": .bool(true)], ["x-acquired-count": 7],
            ["x-death": "dead", "x-delivery-count": -1], ["x-stream-offset": 42, "x-delivery-count": 1],
        ] as [FieldTable],
        ["classic", "quorum"]
    )
    func forged(headers: FieldTable, type: String) async throws {
        try await Scratch.use { scratch, _, channel in
            let end = try await channel.declareQueue(scratch.queue("end"))
            let queue = try await Self.declare(scratch.queue(), type, false, end: end)
            for (policy, most) in [(FailurePolicy.requeueOnce, 2), (.requeue(attempts: 4), type == "quorum" ? 4 : 2)] {
                try await channel.defaultExchange.publish(Message(body: [1], headers: headers), routingKey: queue.name)
                let tries = try await tries(queue, policy, end)
                #expect(tries == 2 || tries == most)
            }
        }
    }

    /// Declares a queue from which messages are dead-lettered to another.
    private static func declare(
        _ name: String,
        _ type: String,
        _ isTypeKnown: Bool,
        end: Queue
    ) async throws -> Queue {
        let channel = end.channel
        let queue = try await channel.declareQueue(
            name,
            arguments: [
                "x-queue-type": .string(type), "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": .string(end.name),
            ]
        )
        return isTypeKnown ? queue : try channel.queue(name)
    }

    /// How often the queue's only message is tried until it is in the other.
    private func tries(_ queue: Queue, _ policy: FailurePolicy, _ end: Queue) async throws -> Int {
        try await eventually("a message in \(queue.name)") { try await queue.readyCount() > 0 }
        try await queue.channel.setQos(prefetchCount: 1)
        let tries = Atomic(0)
        let consumer = try await queue.consume { message in
            tries.add(1, ordering: .relaxed)
            try? await message.process(onFailure: policy) { _ in throw Failure() }
        }
        try await eventually("it is in \(end.name)") { try await end.readyCount() > 0 }
        try await consumer.cancel()
        if end.name.contains("end") { try await end.purge() }
        return tries.load(ordering: .relaxed)
    }
}
