#if MetricsSupport
import CoreMetrics
import MetricsTestKit
import RabbitMQ
import Synchronization
import TestSupport
import Testing

@Suite("Metrics", .timeLimit(.minutes(1)))
struct MetricsTests {
    private let dimensions = [("messaging.system", "rabbitmq")]

    /// Those of a metric that the conventions have.
    private func named(_ operation: String) -> [(String, String)] {
        dimensions + [("messaging.operation.name", operation)]
    }

    /// Lends a confirming channel whose publishes and handlers are timed.
    private func withTimedChannel(_ factory: TestMetrics, _ body: (Channel) async throws -> Void) async throws {
        var configuration = try TestBroker.configuration
        configuration.measureDurations(factory)
        try await Connection.withConnection(configuration) { connection in
            let channel = try await connection.openChannel()
            try await channel.selectConfirms()
            try await body(channel)
        }
    }

    @Test func `a report tells what has changed since the one before`() async throws {
        try await TestBroker.withChannel { connection, channel in
            let factory = TestMetrics()
            let metrics = ConnectionMetrics(connection, factory: factory)
            try await channel.selectConfirms()
            let queue = try await channel.declareQueue(exclusive: true)
            for _ in 0..<3 { try await queue.publishConfirmed(Message("x")) }
            metrics.report()
            let sent = try factory.expectCounter("messaging.client.sent.messages", named("publish"))
            #expect(sent.values == [3])
            for _ in 0..<2 { try await queue.publishConfirmed(Message("x")) }
            _ = try #require(try await queue.get())
            metrics.report()
            #expect(sent.values == [3, 2])
            let consumed = try factory.expectCounter("messaging.client.consumed.messages", named("consume"))
            #expect(consumed.values == [1])
            #expect(try factory.expectCounter("rabbitmq.client.confirmed.messages", dimensions).totalValue == 5)
            #expect(try factory.expectMeter("rabbitmq.client.unsettled.messages", dimensions).lastValue == 1)
            #expect(try factory.expectMeter("rabbitmq.client.connection.up", dimensions).lastValue == 1)
        }
    }

    @Test func `a dimension that is given has the place of the library's own of that name`() async throws {
        try await TestBroker.withChannel { connection, channel in
            let factory = TestMetrics()
            let given = [("messaging.system", "other"), ("messaging.operation.name", "mine")]
            let metrics = ConnectionMetrics(connection, dimensions: given, factory: factory)
            _ = try await channel.defaultExchange.publish(Message("x"), routingKey: "nobody")
            metrics.report()
            #expect(try factory.expectCounter("messaging.client.sent.messages", given).values == [1])
            #expect(try factory.expectMeter("rabbitmq.client.connection.up", given).lastValue == 1)
        }
    }

    @Test func `several that report at once count nothing twice`() async throws {
        try await TestBroker.withChannel { connection, channel in
            let factory = TestMetrics()
            let metrics = ConnectionMetrics(connection, factory: factory)
            let exchange = channel.defaultExchange
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask { for _ in 0..<1000 { metrics.report() } }
                }
                for _ in 0..<1000 { _ = try? await exchange.publish(Message("x"), routingKey: "nobody") }
            }
            metrics.report()
            let sent = try factory.expectCounter("messaging.client.sent.messages", named("publish"))
            #expect(sent.totalValue == 1000)
        }
    }

    @Test func `a back end may have a report made while it takes one`() async throws {
        let begun = Atomic(0)
        let reporter = Mutex<ConnectionMetrics?>(nil)
        let factory = HookedMetrics {
            // Once: what it takes by then was counted.
            guard begun.add(1, ordering: .relaxed).oldValue == 0 else { return }
            reporter.withLock { $0 }?.report()
        }
        try await Connection.withConnection(try TestBroker.configuration) { connection in
            let metrics = ConnectionMetrics(connection, factory: factory)
            reporter.withLock { $0 = metrics }
            try await within(.seconds(20), "the report") { metrics.report() }
        }
        reporter.withLock { $0 = nil }
        #expect(begun.load(ordering: .relaxed) > 0)
    }

    @Test(arguments: [false, true]) func `reporting ends with the connection, or the task, whatever the interval`(
        isCancelled: Bool
    ) async throws {
        let factory = TestMetrics()
        let connection = try await Connection.connect(try TestBroker.configuration)
        let reporting = Task { await ConnectionMetrics(connection, factory: factory).report(every: .seconds(600)) }
        try await eventually("it has reported") {
            (try? factory.expectMeter("rabbitmq.client.connection.up", dimensions).lastValue) == 1
        }
        if isCancelled { reporting.cancel() } else { await connection.close() }
        try await within(.seconds(20), "its end") { await reporting.value }
        let up = try factory.expectMeter("rabbitmq.client.connection.up", dimensions)
        #expect(up.lastValue == (isCancelled ? 1 : 0))
        await connection.close()
    }

    @Test(arguments: [Duration.zero, .seconds(-1), .seconds(Int64.max)])
    func `an interval that is none, or has no end, is borne`(interval: Duration) async throws {
        let factory = TestMetrics()
        let connection = try await Connection.connect(try TestBroker.configuration)
        let start = ContinuousClock.now
        let reporting = Task { await ConnectionMetrics(connection, factory: factory).report(every: interval) }
        try await eventually("it has reported") {
            (try? factory.expectMeter("rabbitmq.client.connection.up", dimensions).lastValue) == 1
        }
        let count = try factory.expectMeter("rabbitmq.client.connection.up", dimensions).values.count
        #expect(Double(count - 1) <= (ContinuousClock.now - start) / .milliseconds(10))
        await connection.close()
        try await within(.seconds(20), "its end") { await reporting.value }
    }

    @Test func `handlers and confirmed publishes are timed, those that fail by themselves`() async throws {
        struct Failure: Error {}
        let factory = TestMetrics()
        try await withTimedChannel(factory) { channel in
            let queue = try await channel.declareQueue(TestBroker.uniqueName("timed"), durable: false, exclusive: true)
            for _ in 0..<3 { try await queue.publishConfirmed(Message("x")) }
            var published = named("publish")
            published += [("messaging.operation.type", "send"), ("messaging.destination.name", "amq.default")]
            #expect(try factory.expectTimer("messaging.client.operation.duration", published).values.count == 3)
            for _ in 0..<2 {
                let message = try #require(try await queue.get())
                try await message.process { _ in }
            }
            let last = try #require(try await queue.get())
            await #expect(throws: Failure.self) {
                try await last.process(onFailure: .acknowledge) { _ in throw Failure() }
            }
            let processed = named("process") + [("messaging.destination.name", queue.name)]
            #expect(try factory.expectTimer("messaging.process.duration", processed).values.count == 2)
            let timers = factory.timers(label: "messaging.process.duration")
            let failed = try #require(timers.first { $0.dimensions.contains { $0.0 == "error.type" } })
            #expect(failed.values.count == 1)
            #expect(failed.dimensions.last?.1.hasSuffix("Failure") == true)
        }
    }

    @Test func `queues whose names the broker has made up share a timer`() async throws {
        let factory = TestMetrics()
        try await withTimedChannel(factory) { channel in
            for _ in 0..<3 {
                let queue = try await channel.declareQueue(exclusive: true)
                try await queue.publishConfirmed(Message("x"))
                let message = try #require(try await queue.get())
                try await message.process { _ in }
            }
        }
        #expect(factory.timers(label: "messaging.process.duration").count == 1)
        let processed = named("process") + [("messaging.destination.name", "amq.gen")]
        #expect(try factory.expectTimer("messaging.process.duration", processed).values.count == 3)
    }
}

/// A back end that does something whenever a counter is told.
private final class HookedMetrics: MetricsFactory, CounterHandler {
    private let hook: @Sendable () -> Void

    init(_ hook: @escaping @Sendable () -> Void) { self.hook = hook }

    func increment(by amount: Int64) { hook() }
    func reset() {}

    func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler { self }
    func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        NOOPMetricsHandler.instance
    }
    func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler { NOOPMetricsHandler.instance }

    func destroyCounter(_ handler: any CounterHandler) {}
    func destroyRecorder(_ handler: any RecorderHandler) {}
    func destroyTimer(_ handler: any TimerHandler) {}
}
#endif
