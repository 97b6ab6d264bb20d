import Foundation
import RabbitMQ
import Synchronization
import TestSupport
import Testing

@Suite("Consumers")
struct ConsumerTests {
    private func publish(_ count: Int, to queue: Queue) async throws {
        let exchange = try await queue.channel.declareExchange("")
        for number in 0..<count { try await exchange.publish(Message("\(number)"), routingKey: queue.name) }
    }

    /// Counts what runs at a time.
    private final class Load: Sendable {
        private let state = Mutex((running: 0, peak: 0, done: 0))
        var peak: Int { state.withLock { $0.peak } }
        var done: Int { state.withLock { $0.done } }
        var running: Int { state.withLock { $0.running } }

        func begin() {
            state.withLock {
                $0.running += 1
                $0.peak = max($0.peak, $0.running)
            }
        }

        func end() {
            state.withLock {
                $0.running -= 1
                $0.done += 1
            }
        }
    }

    @Test("callbacks run as many at a time as was asked for", arguments: [1, 4])
    func concurrency(limit: Int) async throws {
        try await TestBroker.withChannel { _, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            try await publish(40, to: queue)
            let load = Load()
            let numbers = Collected<Int>()
            let consumer = try await queue.consume(maxConcurrency: limit) { message in
                load.begin()
                defer { load.end() }
                numbers.add(Int(try message.text()) ?? -1)
                try await Task.sleep(for: .milliseconds(5))
                try message.ack()
            }
            try await eventually("all have been called back") { load.done == 40 }
            #expect(load.peak == limit)
            if limit == 1 { #expect(numbers.all == Array(0..<40)) }
            #expect(Set(numbers.all) == Set(0..<40))
            try await consumer.cancel()
        }
    }

    @Test("at least one call must be allowed")
    func noConcurrency() async throws {
        try await TestBroker.withChannel { _, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            await #expect {
                try await queue.consume(maxConcurrency: 0) { _ in }
            } throws: { ($0 as? AMQPError)?.code == .invalidArgument }
        }
    }

    @Test("the end is told when the last of several calls has returned", arguments: [false, true])
    func endAfterCalls(isDeath: Bool) async throws {
        try await TestBroker.withConnection { connection in
            let channel = try await connection.openChannel()
            let queue = try await channel.declareQueue(exclusive: true)
            try await publish(4, to: queue)
            let load = Load()
            let ends = Collected<String>()
            let consumer = try await queue.consume(
                maxConcurrency: 4,
                onCancel: { ends.add("cancelled, \(load.running) running") },
                onError: { ends.add("\($0.code), \(load.running) running") },
                callback: { _ in
                    load.begin()
                    try await Task.sleep(for: .milliseconds(300))
                    load.end()
                }
            )
            try await eventually("all run") { load.running == 4 }
            if isDeath { await channel.close() } else { try await consumer.cancel() }
            try await eventually("the end is told") { ends.count == 1 }
            #expect(ends.all == [isDeath ? "channelClosed, 0 running" : "cancelled, 0 running"])
        }
    }

    @Test("own tags, exclusive consumers")
    func tagsAndExclusive() async throws {
        try await TestBroker.withConnection { connection in
            let channel = try await connection.openChannel()
            let queue = try await channel.declareQueue(exclusive: true)
            let deliveries = try await queue.consume(ConsumerOptions(tag: "mine", exclusive: true))
            #expect(deliveries.consumer.tag == "mine")
            let second = try await connection.openChannel()
            let same = try await second.declareQueue(queue.name, exclusive: true, passive: true)
            await #expect {
                _ = try await same.consume()
            } throws: { ($0 as? AMQPError)?.code == .accessRefused }
            #expect(channel.closeReason == nil)
        }
    }

    @Test("messages go to the consumer with the higher priority while it can take more")
    func priority() async throws {
        try await TestBroker.withChannel { _, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            let tags = Collected<String>()
            for (tag, priority) in [("low", Int32(1)), ("high", 10)] {
                try await queue.consume(ConsumerOptions(tag: tag, priority: priority)) { message in
                    tags.add(message.consumerTag ?? "")
                    try message.ack()
                }
            }
            try await publish(50, to: queue)
            try await eventually("all have come") { tags.count == 50 }
            #expect(Set(tags.all) == ["high"])
        }
    }

    @Test("of a queue with a single active consumer, the next one gets messages when the first is cancelled")
    func singleActive() async throws {
        try await TestBroker.withChannel { _, channel in
            let queue = try await channel.declareQueue(
                exclusive: true,
                arguments: ["x-single-active-consumer": true]
            )
            let tags = Collected<String>()
            let callback: Consumer.Callback = { message in
                tags.add(message.consumerTag ?? "")
                try message.ack()
            }
            let first = try await queue.consume(ConsumerOptions(tag: "first"), callback: callback)
            try await queue.consume(ConsumerOptions(tag: "second"), callback: callback)
            try await publish(20, to: queue)
            try await eventually("all have come") { tags.count == 20 }
            try await first.cancel()
            try await publish(20, to: queue)
            try await eventually("all have come") { tags.count == 40 }
            #expect(tags.all == Array(repeating: "first", count: 20) + Array(repeating: "second", count: 20))
        }
    }

    @Test("a loop ends with the broker's reason when its queue is deleted")
    func serverCancel() async throws {
        try await TestBroker.withConnection { connection in
            let channel = try await connection.openChannel()
            let queue = try await channel.declareQueue(exclusive: true)
            try await publish(1, to: queue)
            let deliveries = try await queue.consume()
            let task = Task {
                var count = 0
                for try await message in deliveries {
                    count += 1
                    try message.ack()
                    try await queue.delete(ifUnused: false, ifEmpty: false)
                }
                return count
            }
            await #expect {
                try await within(.seconds(10), "the end of the loop") { _ = try await task.value }
            } throws: { ($0 as? AMQPError)?.code == .consumerCancelled }
            #expect(deliveries.consumer.cancelled)
            #expect(channel.closeReason == nil)
        }
    }

    @Test("a loop ends with the reason when the channel dies, and with CancellationError when its task is cancelled")
    func otherEnds() async throws {
        try await TestBroker.withConnection { connection in
            let channel = try await connection.openChannel()
            let queue = try await channel.declareQueue(exclusive: true)
            let cancelled = try await queue.consume()
            let early = Task {
                // Cancelled before it asks for the first message.
                try? await Task.sleep(for: .seconds(60))
                for try await _ in cancelled {}
            }
            early.cancel()
            await #expect(throws: CancellationError.self) { try await early.value }
            let deliveries = try await queue.consume()
            let late = Task { for try await _ in deliveries {} }
            await #expect {
                _ = try await channel.declareQueue(TestBroker.uniqueName("missing"), passive: true)
            } throws: { ($0 as? AMQPError)?.code == .notFound }
            await #expect {
                try await within(.seconds(10), "the end of the loop") { try await late.value }
            } throws: { ($0 as? AMQPError)?.code == .notFound }
        }
    }
}
