import TestSupport
import Testing

@testable import RabbitMQ

/// Those who watch see each message that is handled once, however it is.
@Suite("Handlers that are watched", .timeLimit(.minutes(1)))
struct ObservedHandlersTests {
    private final class Meter: DurationMeter {
        /// The queues for whose handlers it was asked.
        let asked = Collected<String>()
        private let failures = Collected<Bool>()

        func publishing(to exchange: String) -> DurationRecorder { DurationRecorder { _, _ in } }

        func processing(of queue: String) -> DurationRecorder {
            asked.add(queue)
            return DurationRecorder { [failures] _, error in failures.add(error != nil) }
        }

        var all: [Bool] { failures.all }
    }

    private final class Tracer: MessageTracing {
        let published = Collected<String>()

        func publishing<Result>(
            _ message: Message,
            exchange: String,
            routingKey: String,
            _ publish: (Message) async throws -> Result
        ) async throws -> Result {
            published.add(routingKey)
            return try await publish(message)
        }

        func processing<Result>(
            _ delivery: ObservedDelivery,
            _ handle: () async throws -> Result
        ) async throws -> Result { try await handle() }
    }

    private struct Failure: Error {}

    @Test func `a message that its callback processes counts once`() async throws {
        let meter = Meter()
        try await ScriptedClient.run([], { $0.meter = meter }) { client in
            let queue = try await client.channel.declareQueue("q")
            let consumer = try await queue.consume { message in try await message.process { _ in await Task.yield() } }
            let session = try client.broker.session
            for tag in 1...2 as ClosedRange<UInt64> { try await session.deliver("x", tag: tag, consumer: consumer.tag) }
            try await eventually("both are handled") { meter.all.count >= 2 }
            try await consumer.cancel()
            _ = try await consumer.ended
            #expect(meter.all == [false, false])
            // What takes their times is looked up once, not with each message.
            #expect(meter.asked.all == ["q"])
        }
    }

    /// How a message is handled that is processed once more while that goes on.
    enum Way: CaseIterable { case sequence, processed, retried, inChildTask }

    @Test(arguments: Way.allCases) func `a message that is processed within its handler counts once`(
        way: Way
    ) async throws {
        let meter = Meter()
        let again: @Sendable (IncomingMessage) async throws -> Void = { message in
            try await message.process { _ in await Task.yield() }
        }
        try await ScriptedClient.run([], { $0.meter = meter }) { client in
            let queue = try await client.channel.declareQueue("q")
            let processing = Task {
                switch way {
                case .sequence:
                    for try await message in try await queue.consume() { try await message.process(again) }
                case .processed: try await queue.consume().process(maxConcurrency: 2, again)
                case .retried: try await queue.process(retrying: RetryPolicy(attempts: 1), again)
                case .inChildTask:
                    try await queue.consume().process(maxConcurrency: 1) { message in
                        async let processed: Void = again(message)
                        try await processed
                    }
                }
            }
            let session = try client.broker.session
            try await client.waitForConsumers(1)
            let consumer = try #require(session.consumers.first)
            for tag in 1...3 as ClosedRange<UInt64> {
                try await session.deliver("x", tag: tag, consumer: consumer.tag, channel: consumer.channel)
                try await eventually("it is handled") { meter.all.count >= Int(tag) }
            }
            processing.cancel()
            _ = try? await processing.value
            #expect(meter.all == [false, false, false])
        }
    }

    @Test func `a message that goes on to another task counts there too`() async throws {
        let meter = Meter()
        try await ScriptedClient.run([], { $0.meter = meter }) { client in
            let (messages, sink) = AsyncStream<IncomingMessage>.makeStream()
            let worker = Task {
                for await message in messages { try await message.process { _ in await Task.yield() } }
            }
            let queue = try await client.channel.declareQueue("q")
            let consumer = try await queue.consume { sink.yield($0) }
            let session = try client.broker.session
            for tag in 1...2 as ClosedRange<UInt64> { try await session.deliver("x", tag: tag, consumer: consumer.tag) }
            try await eventually("both are processed") { meter.all.count >= 4 }
            sink.finish()
            try await worker.value
            try await consumer.cancel()
            #expect(meter.all.count == 4)
        }
    }

    @Test(arguments: [false, true]) func `a handler with a policy for retries counts once, with its error`(
        isCalledBack: Bool
    ) async throws {
        let meter = Meter()
        try await ScriptedClient.run([], { $0.meter = meter }) { client in
            let queue = try await client.channel.declareQueue("q")
            let policy = RetryPolicy(attempts: 1)
            let processing = Task {
                guard isCalledBack else { return try await queue.process(retrying: policy) { _ in throw Failure() } }
                _ = try await queue.consume(retrying: policy) { _ in throw Failure() }
            }
            let session = try client.broker.session
            try await client.waitForConsumers(1)
            let consumer = try #require(session.consumers.first)
            try await session.deliver("x", tag: 1, consumer: consumer.tag, channel: consumer.channel)
            try await eventually("it is settled") { session.settled.contains { $0.tag == 1 } }
            processing.cancel()
            _ = try? await processing.value
            #expect(meter.all == [true])
        }
    }

    @Test func `a message on its way to where it is parked keeps the trace that it came with`() async throws {
        let tracer = Tracer()
        try await ScriptedClient.run([], { $0.tracing = tracer }) { client in
            let queue = try await client.channel.declareQueue("q")
            let policy = RetryPolicy(attempts: 1)
            let processing = Task { try await queue.process(retrying: policy) { _ in throw Failure() } }
            let session = try client.broker.session
            try await client.waitForConsumers(1)
            let consumer = try #require(session.consumers.first)
            try await session.deliver("x", tag: 1, consumer: consumer.tag, channel: consumer.channel)
            try await eventually("it is settled") { session.settled.contains { $0.tag == 1 } }
            processing.cancel()
            _ = try? await processing.value
            #expect(session.published.map(\.routingKey) == ["q.parked"])
            #expect(tracer.published.all.isEmpty)
            // One of the application's own is traced.
            try await queue.publish(Message(body: [1]))
            #expect(tracer.published.all == ["q"])
        }
    }

    @Test(arguments: [false, true]) func `what its body has settled is not stale when its channel goes`(
        fails: Bool
    ) async throws {
        try await ScriptedClient.run([], { $0.recovery = .none }) { client in
            let deliveries = try await client.channel.declareQueue("q").consume()
            var messages = deliveries.makeAsyncIterator()
            let session = try client.broker.session
            try await session.deliver("x", tag: 1, consumer: deliveries.consumer.tag)
            let message = try #require(try await messages.next())
            let result: Result<Void, any Error>
            do {
                try await message.process { message in
                    try message.ack()
                    try await eventually("it is settled") { !session.settled.isEmpty }
                    session.cut()
                    try await eventually("it is noticed") { message.isStale }
                    if fails { throw Failure() }
                }
                result = .success(())
            } catch {
                result = .failure(error)
            }
            if fails { #expect(throws: Failure.self) { try result.get() } } else { try result.get() }
            #expect(client.connection.statistics.staleSettlements == 0)
        }
    }
}
