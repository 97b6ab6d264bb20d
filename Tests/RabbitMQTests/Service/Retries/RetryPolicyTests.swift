import Testing

@testable import RabbitMQ

@Suite("A retry policy")
struct RetryPolicyTests {
    @Test func `delays grow by the factor, up to the longest`() {
        let policy = RetryPolicy(attempts: 6, delay: .seconds(1), factor: 3, maxDelay: .seconds(20))
        #expect((1...5).map { policy.milliseconds(afterFailure: $0) } == [1000, 3000, 9000, 20_000, 20_000])
        #expect(policy.levels == [1000, 3000, 9000, 20_000])
        #expect(RetryPolicy(attempts: 4, delay: .seconds(7), factor: 1).levels == [7000])
        #expect(RetryPolicy(attempts: 1).levels.isEmpty)
        // A first delay beyond the longest is that one.
        #expect(RetryPolicy(attempts: 3, delay: .seconds(60), maxDelay: .seconds(2)).levels == [2000])
    }

    @Test func `a policy with many delays has few queues, and the longest delay is among them`() {
        let many = RetryPolicy(attempts: .max, delay: .milliseconds(1), factor: 1.001, maxDelay: .seconds(864_000))
        #expect(many.levels.first == 1 && many.levels.last == 864_000_000 && many.levels.count == 31)
        #expect(many.levels == many.levels.sorted())
        let some = RetryPolicy(attempts: 30, delay: .seconds(1), factor: 1.1, maxDelay: .seconds(3600))
        #expect(some.levels.last == some.milliseconds(afterFailure: 29))
        #expect(RetryPolicy(attempts: 5000, factor: .greatestFiniteMagnitude).levels == [1000, 300_000])
    }

    @Test(arguments: [
        RetryPolicy(attempts: 0), RetryPolicy(delay: .zero), RetryPolicy(factor: 0.5), RetryPolicy(factor: .nan),
        RetryPolicy(factor: .infinity), RetryPolicy(maxDelay: .seconds(1_000_000)), RetryPolicy(jitter: 1.5),
        RetryPolicy(jitter: -.infinity), RetryPolicy(maxReturns: 0), RetryPolicy(queueType: .stream),
    ])
    func `what can't work is refused`(policy: RetryPolicy) {
        #expect(throws: AMQPError.self) { try policy.validate() }
    }

    @Test func `a policy that is out of range has queues all the same`() {
        let endless = RetryPolicy(attempts: 100, factor: 20, maxDelay: .seconds(Int64.max))
        #expect(endless.topology(for: Topology.Queue("orders")).queues.count == endless.levels.count + 1)
        #expect(endless.levels.last == 864_000_000)
        let slow = RetryPolicy(attempts: .max, delay: .seconds(Int64.max), factor: 1e300, maxDelay: .seconds(Int64.max))
        #expect(slow.levels == [864_000_000])
        #expect(RetryPolicy(attempts: 3, delay: .seconds(-1), factor: .nan, maxDelay: .seconds(-1)).levels == [1])
    }

    @Test func `a ring is made of queues that can be declared, named after the queue and the delay`() throws {
        let policy = RetryPolicy(attempts: 3, delay: .seconds(2))
        let classic = policy.topology(for: Topology.Queue("orders"))
        try classic.validate()
        #expect(classic.queues.map(\.name) == ["orders.retry.2000", "orders.retry.4000", "orders.parked"])
        #expect(
            classic.queues[0].arguments.table == [
                "x-queue-type": "classic", "x-message-ttl": .int64(2000), "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": "orders",
            ]
        )
        let quorum = policy.topology(for: Topology.Queue("orders", arguments: QueueArguments(type: .quorum)))
        try quorum.validate()
        #expect(quorum.queues.allSatisfy { $0.arguments.type == .quorum })
        #expect(quorum.queues[0].arguments.deadLetterStrategy == .atLeastOnce)
        var merged = Topology(queues: [Topology.Queue("orders")])
        merged.merge(classic)
        merged.merge(classic)
        #expect(merged.queues.count == 4)
    }

    @Test func `a message's way is through the queue of the next longer delay, and again if none is long enough`() {
        let policy = RetryPolicy(attempts: 4, delay: .seconds(1), factor: 2)
        let ring = RetryRing(policy, queue: "q", queueType: nil)
        #expect(ring.route(0) == .init(queue: "q"))
        #expect(ring.route(-5) == .init(queue: "q"))
        #expect(ring.route(1000) == .init(queue: "q.retry.1000"))
        #expect(ring.route(1001) == .init(queue: "q.retry.2000", expiration: 1001))
        #expect(ring.route(1) == .init(queue: "q.retry.1000", expiration: 1))
        #expect(ring.route(4000) == .init(queue: "q.retry.4000"))
        #expect(ring.route(10_500) == .init(queue: "q.retry.4000", rest: 6500))
        #expect(ring.route(.max) == .init(queue: "q.retry.4000", rest: .max - 4000))
    }

    @Test func `what does not decode is final, whatever else is said to be`() async {
        struct Final: Error {}
        struct Passing: Error {}
        let undecodable = AMQPError(.decodingFailed, "no number")
        let consumers = UnconnectedConsumers()
        let message = consumers.message(1, for: consumers.consumer("c"))
        func decision(_ error: any Error, _ policy: RetryPolicy) async -> RetryDecision {
            await policy.decide(error, FailedAttempt(message: message, number: 1, limit: 5))
        }
        let own = RetryPolicy { $0 is Final }
        #expect(await decision(Final(), own) == .park)
        #expect(await decision(Passing(), own) == .retry)
        #expect(await decision(undecodable, own) == .park)
        #expect(await decision(undecodable, RetryPolicy()) == .park)
        #expect(await decision(Final(), RetryPolicy()) == .retry)
        // What a handler could not decode may be anything, such as the answer of a service that is down.
        let foreign = DecodingError.dataCorrupted(.init(codingPath: [], debugDescription: "no JSON"))
        #expect(await decision(foreign, RetryPolicy()) == .retry)
        #expect(await decision(foreign, RetryPolicy { $0 is DecodingError }) == .park)
        let reply = AMQPError(.decodingFailed, "the server's reply does not decode", underlying: undecodable)
        #expect(await decision(reply, RetryPolicy()) == .retry)
        // Who decides, decides.
        #expect(await decision(undecodable, RetryPolicy(decide: { _, _ in .drop })) == .drop)
    }
}
