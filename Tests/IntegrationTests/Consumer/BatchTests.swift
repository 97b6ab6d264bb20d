import RabbitMQ
import TestSupport
import Testing

@Suite("Messages in batches")
struct BatchTests {
    private func publish(_ numbers: Range<Int>, to queue: Queue) async throws {
        let exchange = try await queue.channel.declareExchange("")
        for number in numbers { try await exchange.publish(Message("\(number)"), routingKey: queue.name) }
    }

    private func numbers(_ batch: [IncomingMessage]) throws -> [Int] { try batch.compactMap { Int(try $0.text()) } }

    @Test("full batches don't wait, and come in order")
    func full() async throws {
        try await TestBroker.withChannel { connection, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            try await publish(0..<30, to: queue)
            var seen: [Int] = []
            for try await batch in try await queue.consume().batches(count: 10, within: .seconds(600)) {
                #expect(batch.count == 10)
                seen += try numbers(batch)
                try batch.ack()
                if seen.count == 30 { break }
            }
            #expect(seen == Array(0..<30))
            let left = try await channel.declareQueue(queue.name, exclusive: true, passive: true)
            #expect(left.messageCount == 0)
        }
    }

    @Test("what is left over comes when its time has come")
    func late() async throws {
        try await TestBroker.withChannel { connection, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            try await publish(0..<5, to: queue)
            let start = ContinuousClock.now
            var seen: [Int] = []
            for try await batch in try await queue.consume().batches(count: 10, within: .milliseconds(300)) {
                seen += try numbers(batch)
                try batch.ack()
                if seen.count == 5 { break }
            }
            #expect(seen == Array(0..<5))
            #expect(ContinuousClock.now - start >= .milliseconds(300))
        }
    }

    @Test("no batch is empty, however long nothing comes, and the time counts from the first message")
    func idle() async throws {
        try await TestBroker.withChannel { _, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            var batches = try await queue.consume().batches(count: 10, within: .milliseconds(100)).makeAsyncIterator()
            async let publishing: Void = {
                try await Task.sleep(for: .milliseconds(400))
                try await publish(0..<2, to: queue)
            }()
            let batch = try await batches.next()
            try await publishing
            #expect(try numbers(try #require(batch)).first == 0)
        }
    }

    @Test("acknowledging a batch leaves other deliveries of the channel alone")
    func acknowledgesOnlyItsOwn() async throws {
        try await TestBroker.withChannel { connection, channel in
            let other = try await channel.declareQueue(exclusive: true)
            let queue = try await channel.declareQueue(exclusive: true)
            try await publish(0..<1, to: other)
            let kept = try #require(try await other.get())
            try await publish(0..<10, to: queue)
            var batches = try await queue.consume().batches(count: 10, within: .seconds(10)).makeAsyncIterator()
            let batch = try #require(try await batches.next())
            try batch.ack()
            #expect(throws: AMQPError.self) { try batch.ack() }
            try kept.reject(requeue: true)
            try await eventually("the other delivery is back") { try await other.get() != nil }
        }
    }

    @Test("what was not taken goes back when the loop is left or the task is cancelled", arguments: [false, true])
    func leaving(isCancelled: Bool) async throws {
        try await TestBroker.withChannel { connection, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            try await publish(0..<30, to: queue)
            let consuming = try await connection.openChannel()
            try await consuming.setQos(prefetchCount: 30)
            let source = try await consuming.declareQueue(queue.name, exclusive: true, passive: true)
            let batches = try await source.consume().batches(count: 20, within: .seconds(60))
            let task = Task {
                for try await batch in batches {
                    try batch.ack()
                    if !isCancelled { return }
                }
            }
            try await eventually("ten messages are left") {
                guard !isCancelled else { return true }
                return try await channel.declareQueue(queue.name, exclusive: true, passive: true).messageCount == 10
            }
            if isCancelled {
                // The second batch waits for ten more.
                try await Task.sleep(for: .milliseconds(300))
                task.cancel()
                await #expect(throws: CancellationError.self) { try await task.value }
            } else {
                try await task.value
            }
            try await eventually("what was not taken is back") {
                try await channel.declareQueue(queue.name, exclusive: true, passive: true).messageCount == 10
            }
        }
    }

    @Test("a batch that is not full comes before the error that ends the consumer, if it can be settled")
    func serverCancel() async throws {
        try await TestBroker.withChannel { connection, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            try await publish(0..<3, to: queue)
            var batches = try await queue.consume().batches(count: 10, within: .seconds(60)).makeAsyncIterator()
            let deleting = try await connection.openChannel()
            let handle = try await deleting.declareQueue(queue.name, exclusive: true, passive: true)
            async let deleted: Int = {
                try await Task.sleep(for: .milliseconds(300))
                return try await handle.delete(ifUnused: false, ifEmpty: false)
            }()
            let batch = try #require(try await batches.next())
            #expect(batch.count == 3)
            try batch.ack()
            do {
                let more = try await batches.next()
                Issue.record("\(String(describing: more)) instead of an error")
            } catch AMQPError.Code.consumerCancelled {}
            _ = try await deleted
        }
    }

    @Test("a batch whose channel is gone is not given: the broker has its messages again")
    func channelDeath() async throws {
        try await TestBroker.withChannel { connection, channel in
            let queue = try await channel.declareQueue(exclusive: true)
            try await publish(0..<3, to: queue)
            let consuming = try await connection.openChannel()
            let source = try await consuming.declareQueue(queue.name, exclusive: true, passive: true)
            let iterator = try await source.consume().batches(count: 10, within: .seconds(60))
            let task = Task {
                for try await batch in iterator { Issue.record("\(batch.count) messages of a dead channel") }
            }
            try await Task.sleep(for: .milliseconds(300))
            await #expect(throws: AMQPError.self) {
                _ = try await consuming.declareQueue(TestBroker.uniqueName("missing"), passive: true)
            }
            do {
                try await within(.seconds(10), "the end of the batches") { try await task.value }
                Issue.record("no error")
            } catch AMQPError.Code.notFound {}
            try await eventually("the messages are back") {
                try await channel.declareQueue(queue.name, exclusive: true, passive: true).messageCount == 3
            }
        }
    }
}
