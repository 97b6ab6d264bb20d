import RabbitMQ
import TestSupport
import Testing

@Suite("Recovery of consumers", .timeLimit(.minutes(2)))
struct ConsumerRecoveryTests {
    @Test func `a consumer keeps its tag, and its messages say so`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let channel = try await client.connection.openChannel()
            let queue = try await channel.declareQueue(scratch.queue())
            let tags = Collected<String?>()
            let named = try await queue.consume(ConsumerOptions(tag: "mine", noAck: true)) { tags.add($0.consumerTag) }
            try await client.cutAndRecover()
            #expect(named.tag == "mine")
            try await other.send("x", to: queue.name)
            try await eventually("it came") { tags.all == ["mine"] }
            // The channel goes on making up tags that nobody has.
            let made = try await queue.consume { _ in }
            try await client.cutAndRecover()
            let next = try await queue.consume { _ in }
            #expect(Set([named.tag, made.tag, next.tag]).count == 3)
            try await named.cancel()
            #expect(try await other.declareQueue(queue.name, passive: true).consumerCount == 2)
        }
    }

    @Test func `the priority counts again`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let queue = scratch.queue()
            try await other.declareQueue(queue)
            let channel = try await client.connection.openChannel()
            let seen = Collected<String>()
            for (name, priority) in [("low", -5), ("high", 5)] as [(String, Int32)] {
                try await channel.queue(queue).consume(ConsumerOptions(noAck: true, priority: priority)) { _ in
                    seen.add(name)
                }
            }
            // Consumers of somebody else's with a priority between them.
            try await other.queue(queue).consume(.noAck) { _ in seen.add("other") }
            try await client.cutAndRecover()
            for _ in 0..<10 { try await other.send("x", to: queue) }
            try await eventually("all came") { seen.count == 10 }
            #expect(Set(seen.all) == ["high"])
        }
    }

    @Test func `an exclusive consumer is the only one again`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let queue = scratch.queue()
            try await other.declareQueue(queue)
            let channel = try await client.connection.openChannel()
            let consumer = try await channel.queue(queue).consume(ConsumerOptions(exclusive: true)) { _ in }
            try await client.cutAndRecover()
            try await other.connection.withChannel { channel in
                await #expect { try await channel.queue(queue).consume() } throws: {
                    ($0 as? AMQPError)?.code == .accessRefused
                }
            }
            try await consumer.cancel()
            try await other.queue(queue).consume { _ in }.cancel()
        }
    }

    @Test func `an exclusive consumer whose queue somebody uses meanwhile waits until that one is gone`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let queue = scratch.queue()
            try await other.declareQueue(queue)
            let channel = try await client.connection.openChannel()
            let seen = Collected<String>()
            let consumer = try await channel.queue(queue).consume(ConsumerOptions(noAck: true, exclusive: true)) {
                seen.add(try $0.text())
            }
            let (another, _) = try await client.whileDown {
                // The broker may not have noticed yet that the owner is gone.
                var another: Consumer?
                try await eventually("another one consumes") {
                    another = try? await other.connection.openChannel().queue(queue).consume { try $0.ack() }
                    return another != nil
                }
                return another
            }
            #expect(!consumer.cancelled && channel.isOpen)
            try await another?.cancel()
            try await other.send("x", to: queue)
            try await eventually("it consumes again", within: .seconds(30)) { seen.all == ["x"] }
        }
    }

    @Test func `what was cancelled while there was no connection does not begin again`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let channel = try await client.connection.openChannel()
            let queue = try await channel.declareQueue(scratch.queue())
            let (kept, cancelled) = (try await queue.consume { _ in }, try await queue.consume { _ in })
            let (_, report) = try await client.whileDown {
                try await within(.seconds(5), "it is cancelled") { try await cancelled.cancel() }
            }
            #expect(report.consumers == 1)
            #expect(try await cancelled.ended == nil)
            #expect(try await other.declareQueue(queue.name, passive: true).consumerCount == 1)
            #expect(!kept.cancelled)
        }
    }

    @Test func `a loop that is left while there is no connection does not begin again`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let channel = try await client.connection.openChannel()
            let queue = try await channel.declareQueue(scratch.queue())
            let name = queue.name
            let loop = Task { for try await _ in try await queue.consume() {} }
            try await eventually("it consumes") {
                try await other.declareQueue(name, passive: true).consumerCount == 1
            }
            let (_, report) = try await client.whileDown {
                loop.cancel()
                _ = await loop.result
            }
            #expect(report.consumers == 0)
            #expect(try await other.declareQueue(name, passive: true).consumerCount == 0)
        }
    }

    @Test func `what was buffered is delivered again, in order, and nothing is lost`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let channel = try await client.connection.openChannel()
            try await channel.setQos(prefetchCount: 50)
            let queue = try await channel.declareQueue(scratch.queue())
            for number in 0..<200 { try await other.send("\(number)", to: queue.name) }
            var messages = try await queue.consume().makeAsyncIterator()
            // Each by when it was first acknowledged. What was, shortly before the connection was lost, may come once more.
            var acknowledged: [Int] = []
            var rounds = 0
            while acknowledged.count < 200 {
                let message = try #require(try await messages.next())
                if acknowledged.count >= 30 * (rounds + 1), rounds < 5 {
                    rounds += 1
                    try await client.cutAndRecover()
                    #expect(message.isStale)
                    try message.ack()
                    continue
                }
                try message.ack()
                let number = try #require(Int(try message.text()))
                if !message.isStale, !acknowledged.contains(number) { acknowledged.append(number) }
            }
            #expect(acknowledged == Array(0..<200))
        }
    }
}
