import RabbitMQ
import Synchronization
import TestSupport
import Testing

/// Any publisher can put the header of streams on a message of an ordinary queue.
@Suite("messages that say that they come from a stream", .timeLimit(.minutes(2)))
struct ForgedOffsetTests {
    private struct Failure: Error {}
    private static let count = 50

    /// Lends an ordinary queue of a type that the client doesn't know, whose messages all have an `x-stream-offset`.
    private func withQueue(
        _ type: String,
        sameOffset: Bool = false,
        _ body: (Connection, Queue) async throws -> Void
    ) async throws {
        try await Scratch.use { scratch, connection, channel in
            let name = scratch.queue()
            try await channel.declareQueue(name, arguments: ["x-queue-type": .string(type)])
            for number in 0..<Self.count {
                let headers: FieldTable = ["x-stream-offset": .int64(sameOffset ? 42 : Int64(number))]
                try await channel.defaultExchange.publish(Message(body: [1], headers: headers), routingKey: name)
            }
            try await eventually("all are there") { try await channel.queue(name).readyCount() == Self.count }
            let other = try await connection.openChannel()
            try await other.setQos(prefetchCount: 10)
            try await body(connection, try other.queue(name))
            #expect(connection.closeReason == nil)
        }
    }

    @Test("one whose handler throws is settled, and the next comes", arguments: ["classic", "quorum"])
    func handled(type: String) async throws {
        try await withQueue(type) { connection, queue in
            let seen = Atomic(0)
            let consumer = try await queue.consume { message in
                seen.add(1, ordering: .relaxed)
                try? await message.process(onFailure: .deadLetter) { _ in throw Failure() }
            }
            try await eventually("all are seen") { seen.load(ordering: .relaxed) == Self.count }
            try await consumer.cancel()
        }
    }

    @Test("what nobody saw goes back", arguments: ["classic", "quorum"], [true, false])
    func unseen(type: String, sameOffset: Bool) async throws {
        try await withQueue(type, sameOffset: sameOffset) { connection, queue in
            for try await message in try await queue.consume() {
                try message.ack()
                break
            }
            try await eventually("the others are there again") {
                try await connection.withChannel { try await $0.queue(queue.name).readyCount() } == Self.count - 1
            }
            #expect(queue.channel.closeReason == nil)
        }
    }

    @Test("a server goes on answering")
    func served() async throws {
        try await Scratch.use { scratch, connection, channel in
            let queue = try await channel.declareQueue(scratch.queue())
            let server = try await queue.serveMessages(maxConcurrency: 4) { message in
                if message.body == [1] { throw Failure() }
                return Message(body: message.body)
            }
            // What can't be answered is rejected.
            let bad = Message(
                body: [1],
                headers: ["x-stream-offset": 1],
                correlationID: String(repeating: "x", count: 100),
                replyTo: "\u{0}"
            )
            for _ in 0..<6 { try await channel.defaultExchange.publish(bad, routingKey: queue.name) }
            let client = try await connection.openRPCClient(routingKey: queue.name)
            for number in 2..<12 as Range<UInt8> {
                let request = Message(body: [number], headers: ["x-stream-offset": .int64(Int64(number))])
                let reply = try await client.call(request, timeout: .seconds(10))
                #expect(reply.body == [number])
            }
            await client.close()
            await server.stop()
        }
    }
}
