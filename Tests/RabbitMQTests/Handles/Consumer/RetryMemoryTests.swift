import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("What a policy remembers", .timeLimit(.minutes(1)))
struct RetryMemoryTests {
    private let source = DeliverySource.unconnected(version: ServerVersion(4, 3, 6))

    private func message(_ headers: FieldTable?, redelivered: Bool = true, text: String = "x") -> IncomingMessage {
        IncomingMessage(
            message: Message(body: Array(text.utf8), headers: headers),
            deliveryTag: 1,
            redelivered: redelivered,
            exchangeName: "",
            routingKey: "q",
            source: source
        )
    }

    private func dispositions(_ policy: FailurePolicy, _ messages: [IncomingMessage]) -> [Disposition] {
        struct Failure: Error {}
        return messages.map { policy.disposition(of: $0, after: Failure()) }
    }

    private let died: FieldTable = ["x-death": [["queue": "w", "reason": "rejected", "count": 1]]]

    @Test func `each is recalled once, and the oldest are forgotten`() {
        var memory = RetryMemory()
        for number in 0...RetryMemory.most { memory.remember(number) }
        let forgotten = memory.recall(0)
        let known = memory.recall(1)
        let again = memory.recall(1)
        #expect(!forgotten && known && !again)
    }

    @Test func `one that is remembered again and again pushes out no other`() {
        var memory = RetryMemory()
        memory.remember(-1)
        for _ in 0...RetryMemory.most { memory.remember(1) }
        let isKnown = memory.recall(-1)
        #expect(isKnown)
        // What is recalled and comes again is the latest once more.
        for number in 0..<10 * RetryMemory.most {
            memory.remember(-1)
            memory.remember(number % 7)
            _ = memory.recall(number % 7)
            if number % 2 == 0 { _ = memory.recall(-1) }
        }
        memory.remember(-1)
        for number in 0..<RetryMemory.most - 1 { memory.remember(number) }
        let isStillKnown = memory.recall(-1)
        #expect(isStillKnown)
    }

    @Test func `messages with a publisher's count push out none that were tried`() {
        // One value: another would have another timestamp.
        let tried = message(died)
        #expect(dispositions(.requeueOnce, [tried]) == [.requeue])
        let foreign = message(["x-delivery-count": 1], redelivered: false)
        _ = dispositions(.requeue(attempts: 5), Array(repeating: foreign, count: RetryMemory.most + 1))
        #expect(dispositions(.requeueOnce, [tried]) == [.deadLetter])
    }

    @Test func `nothing is remembered where the headers tell`() {
        let results = dispositions(.requeueOnce, [message(nil, redelivered: false), message(nil)])
        #expect(results == [.requeue, .deadLetter])
        #expect(source.session.link.retries.withLock { $0.tried.isEmpty && $0.counted.isEmpty })
    }

    @Test func `a message that comes redelivered from a dead-letter exchange is tried twice`() {
        let first = message(died)
        #expect(dispositions(.requeueOnce, [first, first]) == [.requeue, .deadLetter])
        // With a quorum queue's counts, as they are when it comes, and when it was rejected.
        let counted = message(died.merging(["x-delivery-count": 1, "x-acquired-count": 1]) { $1 })
        let second = message(died.merging(["x-delivery-count": 2, "x-acquired-count": 1]) { $1 })
        #expect(dispositions(.requeueOnce, [counted, second]) == [.requeue, .deadLetter])
        // One that comes not redelivered will be redelivered.
        #expect(dispositions(.requeueOnce, [message(died, redelivered: false), first]) == [.requeue, .deadLetter])
    }

    @Test func `each of several that are the same is tried twice, in sum`() {
        let results = dispositions(.requeueOnce, Array(repeating: message(died), count: 10))
        #expect(results.filter { $0 == .requeue }.count == 5)
        #expect(dispositions(.requeueOnce, [message(died, text: "y")]) == [.requeue])
    }

    @Test(
        arguments: [
            ["x-delivery-count": 0], ["x-delivery-count": 1], ["x-acquired-count": 1], ["x-delivery-count": "1"],
            ["x-delivery-count": -3, "x-acquired-count": 5], ["x-delivery-count": 2, "x-acquired-count": 1],
            [
                "x-delivery-count": 1, "x-acquired-count": 1,
                "x-death": [["queue": "q", "reason": "rejected", "count": 1]],
            ],
            ["x-delivery-count": .uint64(.max), "x-acquired-count": .double(.nan)], ["x-death": "dead"],
            ["x-delivery-count": .int64(.max), "x-acquired-count": .int64(.max)],
        ] as [FieldTable]
    )
    func `what a publisher counts keeps nothing coming for ever`(headers: FieldTable) {
        for policy in [FailurePolicy.requeueOnce, .requeue(attempts: 5)] {
            let results = dispositions(
                policy,
                [message(headers, redelivered: false)] + Array(repeating: message(headers), count: 6)
            )
            #expect(results.first == .requeue)
            #expect(results[1] == .deadLetter, "\(results)")
        }
    }

    @Test func `what another client gave back is tried as often as any`() {
        var tries = [message(["x-acquired-count": 1])]
        tries += (1...4).map { message(["x-acquired-count": .int64($0 + 1), "x-delivery-count": .int64($0)]) }
        let results = dispositions(.requeue(attempts: 5), tries)
        #expect(results == [.requeue, .requeue, .requeue, .requeue, .deadLetter])
    }
}
