import Foundation
import RabbitMQ
import Synchronization
import TestSupport
import Testing

@Suite("Retries", .timeLimit(.minutes(2)))
struct RetryTests {
    private typealias Failure = RetryBench.Failure

    @Test(arguments: [QueueType.classic, .quorum])
    func `a handler that fails at first gets the message again, as it was published, until it succeeds`(
        type: QueueType
    ) async throws {
        try await RetryBench.use(RetryBench.quick(5), arguments: QueueArguments(type: type)) { bench in
            let seen = Collected<IncomingMessage>()
            let original = Message(
                body: [0, 255, 7],
                headers: ["text": "ü", "number": .int32(-7), "bytes": .bytes([0xFF]), "CC": ["elsewhere"]],
                contentType: "text/x",
                contentEncoding: "gzip",
                deliveryMode: .persistent,
                correlationID: String(amqpBytes: [0xC0, 0x01]),
                expiration: "60000",
                messageID: "id",
                type: "type",
                userID: try TestBroker.username,
                appID: "app"
            )
            try await bench.processing { message in
                seen.add(message)
                if seen.count < 4 { throw Failure() }
            } while: {
                try await bench.queue.publish(original)
                try await eventually("four attempts") { seen.count == 4 }
            }
            for (index, message) in seen.all.enumerated() {
                var message = message.message
                let attempt = message.headers?["x-retry-attempt"]?.intValue
                #expect(attempt == (index == 0 ? nil : index))
                // What is noted, and what a quorum queue counts.
                message.headers = message.headers?.filter {
                    !$0.key.hasPrefix("x-retry-") && $0.key != "x-delivery-count" && $0.key != "x-acquired-count"
                }
                #expect(message == original)
            }
            #expect(seen.all.map(\.attempt) == [1, 2, 3, 4])
            #expect(seen.all.allSatisfy { $0.exchangeName == "" && $0.routingKey == bench.queue.name })
            try await eventually("nothing is left") { try await bench.left() == 0 }
        }
    }

    @Test func `what fails each time is parked with its error, the number of attempts and their times`() async throws {
        try await RetryBench.use(RetryBench.quick(3)) { bench in
            let count = Atomic(0)
            let before = Date(timeIntervalSince1970: Date.now.timeIntervalSince1970.rounded(.down))
            let parked = try await bench.processing { _ in
                let number = count.add(1, ordering: .relaxed).newValue
                throw Failure("failure \(number)")
            } while: {
                try await bench.queue.publish(Message("x", messageID: "17"))
                return try await bench.nextParked()
            }
            #expect(parked.errorText == "failure 3" && parked.attempts == 3)
            #expect(parked.queue == bench.queue.name && parked.routingKey == bench.queue.name)
            let (first, last) = (try #require(parked.firstFailure), try #require(parked.lastFailure))
            #expect(before <= first && first <= last && last <= .now)
            #expect(parked.original.messageID == "17" && parked.original.headers == nil)
            #expect(try parked.original.text() == "x")
            #expect(try await bench.left() == 0)
        }
    }

    @Test func `a final error is parked at once, what does not decode too, and decisions are obeyed`() async throws {
        struct Order: Codable, Sendable { let id: Int }
        let policy = RetryPolicy(attempts: 50, delay: .milliseconds(10)) { error in
            RetryPolicy.isOfDecoding(error) || error is Failure
        }
        try await RetryBench.use(policy) { bench in
            let seen = Collected<Int>()
            let worker = Task { [queue = bench.queue] in
                try await queue.process(Order.self, maxConcurrency: 3, retrying: policy) { order, message in
                    seen.add(order.id)
                    switch order.id {
                    case 1: throw Failure("no such item")
                    case 2: throw RetryDecision.park("not ours")
                    case 3: throw RetryDecision.drop
                    case 4: if message.attempt < 3 { throw RetryDecision.retry(after: .zero) }
                    case 5: if message.attempt < 2 { throw RetryDecision.retry(after: .milliseconds(30)) }
                    case 6: throw RetryDecision.reject
                    default: break
                    }
                }
            }
            for id in 1...6 { try await bench.queue.publish(Message(encoding: Order(id: id))) }
            var texts: Set<String> = []
            for _ in 0..<2 { texts.insert(try await bench.nextParked().errorText ?? "") }
            #expect(texts == ["no such item", "not ours"])
            try await bench.queue.publish(Message("{}"))
            #expect(try await bench.nextParked().errorText?.contains("key \"id\" is missing") == true)
            try await eventually("all are done") { seen.count == 9 }
            #expect(seen.all.sorted() == [1, 2, 3, 4, 4, 4, 5, 5, 6])
            try await eventually("nothing is left") { try await bench.left() == 0 }
            worker.cancel()
            await #expect(throws: CancellationError.self) { try await worker.value }
        }
    }

    @Test func `a policy that decides may take its time, and is told of the attempt`() async throws {
        var policy = RetryBench.quick(4)
        let attempts = Collected<Int>()
        policy.decide = { error, attempt in
            await Task.yield()
            attempts.add(attempt.number)
            return attempt.number == 2 ? .park("\(error), \(attempt.isLast)") : .retry
        }
        try await RetryBench.use(policy) { bench in
            let parked = try await bench.processing { _ in
                throw Failure()
            } while: {
                try await bench.queue.publish(Message("x"))
                return try await bench.nextParked()
            }
            #expect(parked.errorText == "it failed, false" && parked.attempts == 2)
            #expect(attempts.all == [1, 2])
        }
    }

    @Test func `a longer delay than the policy's longest is waited for in parts, unseen`() async throws {
        try await RetryBench.use(RetryBench.quick(3)) { bench in
            let times = Collected<ContinuousClock.Instant>()
            try await bench.processing { message in
                times.add(.now)
                if message.attempt == 1 { throw RetryDecision.retry(after: .milliseconds(150)) }
            } while: {
                try await bench.queue.publish(Message("x"))
                try await eventually("it came again") { times.count == 2 }
            }
            // The longest queue lets it wait for 20 ms; each counts whole milliseconds.
            #expect(times.all[1] - times.all[0] >= .milliseconds(140))
        }
    }

    @Test func `what is parked while the parking queue is missing is there once it is declared again`() async throws {
        try await RetryBench.use(RetryBench.quick(1)) { bench in
            try await bench.processing { message in
                // The queue is gone at the very moment in which it is needed.
                try await bench.channel.connection.withChannel { channel in
                    try await channel.queue(bench.parkingName).delete(ifUnused: false, ifEmpty: false)
                }
                throw Failure("gone")
            } while: {
                try await bench.queue.publish(Message("x"))
                #expect(try await bench.nextParked().errorText == "gone")
            }
        }
    }

    @Test func `without permission to declare, a message stays where it is until its parking queue is there`()
        async throws
    {
        var policy = RetryBench.quick(1)
        policy.declares = false
        try await RetryBench.use(policy) { bench in
            let count = Atomic(0)
            try await bench.processing { _ in
                count.add(1, ordering: .relaxed)
                throw Failure("lonely")
            } while: {
                try await bench.queue.publish(Message("x"))
                try await eventually("it has failed") { count.load(ordering: .relaxed) == 1 }
                try await bench.policy.topology(for: Topology.Queue(bench.queue.name)).apply(on: bench.connection)
                #expect(try await bench.nextParked().errorText == "lonely")
            }
            #expect(count.load(ordering: .relaxed) == 1)
        }
    }

    @Test func `stopping in the middle loses nothing, and nothing has counted that was not begun`() async throws {
        try await RetryBench.use(RetryBench.quick(3)) { bench in
            let begun = Atomic(0)
            for number in 0..<10 { try await bench.queue.publish(Message("\(number)")) }
            try await bench.processing(maxConcurrency: 3) { _ in
                begun.add(1, ordering: .relaxed)
                try await Task.sleep(for: .seconds(60))
            } while: {
                try await eventually("three are begun") { begun.load(ordering: .relaxed) == 3 }
            }
            try await eventually("all are in their queue again") { try await bench.queue.readyCount() == 10 }
            #expect(try await bench.left() == 10)
        }
    }

    @Test func `a consumer with a policy can be cancelled, and what it runs ends first`() async throws {
        try await RetryBench.use(RetryBench.quick(2)) { bench in
            let seen = Collected<String>()
            let consumer = try await bench.queue.consume(maxConcurrency: 2, retrying: bench.policy) { message in
                seen.add(try message.text())
                if message.attempt == 1 { throw Failure() }
            }
            try await bench.queue.publish(Message("x"))
            try await eventually("it came twice") { seen.all == ["x", "x"] }
            try await consumer.cancel()
            #expect(try await consumer.ended == nil)
            #expect(try await bench.left() == 0)
        }
    }

    @Test func `what can't work is refused before anything is consumed`() async throws {
        try await TestBroker.withChannel { _, channel in
            let named = try await channel.declareQueue(exclusive: true)
            await expectError(.invalidArgument) {
                try await named.process(retrying: RetryPolicy()) { _ in }
            }
            let queue = try await channel.declareQueue(TestBroker.uniqueName("retry"), exclusive: true)
            await expectError(.invalidArgument) {
                try await queue.process(.noAck, retrying: RetryPolicy()) { _ in }
            }
            await expectError(.invalidArgument) {
                try await queue.process(retrying: RetryPolicy(attempts: 0)) { _ in }
            }
        }
    }

    @Test(.needsBroker(.v4_3))
    func `where the broker lets messages wait itself, they never leave their queue until they are parked`() async throws
    {
        let policy = RetryPolicy(attempts: 3, delay: .milliseconds(50), maxDelay: .milliseconds(100))
        try await RetryBench.use(policy, arguments: policy.delayedRetry()) { bench in
            let seen = Collected<IncomingMessage>()
            let parked = try await bench.processing { message in
                seen.add(message)
                throw Failure("failure \(seen.count)")
            } while: {
                try await bench.queue.publish(Message("x"))
                return try await bench.nextParked()
            }
            #expect(parked.attempts == 3 && parked.errorText == "failure 3")
            #expect(seen.all.map(\.deliveryCount) == [nil, 1, 2])
            #expect(seen.all.map(\.attempt) == [1, 2, 3])
            #expect(seen.all.allSatisfy { $0.headers?["x-retry-attempt"] == nil })
        }
    }
}
