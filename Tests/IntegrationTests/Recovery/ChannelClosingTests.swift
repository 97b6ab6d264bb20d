import RabbitMQ
import TestSupport
import Testing

@Suite("A channel that the broker closes for a reason that passes", .timeLimit(.minutes(2)))
struct ChannelClosingTests {
    /// Has the broker close a channel because a queue is in exclusive use, over a call that throws.
    private func close(_ channel: Channel, _ used: String) async throws {
        let error = try await thrownError { try await channel.queue(used).consume() }
        #expect(error.code == .accessRefused && error.isRetryable)
    }

    @Test func `is opened anew with its settings and its consumers, and the call has its error`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let used = scratch.queue()
            let owner = try await other.declareQueue(used).consume(ConsumerOptions(exclusive: true)) { _ in }
            let channel = try await client.connection.openChannel()
            try await channel.setQos(prefetchCount: 1)
            try await channel.selectConfirms()
            let queue = try await channel.declareQueue(scratch.queue())
            let given = Collected<IncomingMessage>()
            let consumer = try await queue.consume { given.add($0) }
            try await queue.publishConfirmed(Message("x"))
            try await eventually("it came") { given.count == 1 }
            for round in 1...3 {
                try await close(channel, used)
                try await eventually("it comes again", within: .seconds(20)) { given.count == 1 + round }
                #expect(given.all[round - 1].isStale && given.all[round].redelivered)
                #expect(channel.isOpen && !consumer.cancelled)
                try await queue.publishConfirmed(Message("\(round)"))
            }
            #expect(given.count == 4)
            #expect(client.reports.isEmpty && client.connection.state == .up)
            // As soon as the reason is gone, the same call works.
            try await owner.cancel()
            try await channel.queue(used).consume { _ in }.cancel()
        }
    }

    @Test func `calls and messages wait until it is open again`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let used = scratch.queue()
            try await other.declareQueue(used).consume(ConsumerOptions(exclusive: true)) { _ in }
            let channel = try await client.connection.openChannel()
            let queue = try await channel.declareQueue(scratch.queue())
            for round in 0..<20 {
                try await close(channel, used)
                try await queue.publish(Message("\(round)"))
                #expect(try await queue.next().text() == "\(round)")
            }
        }
    }

    @Test func `closing it meanwhile keeps it closed`() async throws {
        try await RecoveringClient.use { client, scratch, other in
            let used = scratch.queue()
            try await other.declareQueue(used).consume(ConsumerOptions(exclusive: true)) { _ in }
            let queue = try await other.declareQueue(scratch.queue())
            for _ in 0..<10 {
                let channel = try await client.connection.openChannel()
                let consumer = try await channel.queue(queue.name).consume { _ in }
                try await close(channel, used)
                try await within(.seconds(10), "it is closed") { await channel.close() }
                #expect(channel.closeReason?.code == .channelClosed)
                #expect(try await consumer.ended?.code == .channelClosed)
            }
            try await eventually("nobody consumes") {
                try await other.declareQueue(queue.name, passive: true).consumerCount == 0
            }
            #expect(try await client.connection.answers())
        }
    }
}
