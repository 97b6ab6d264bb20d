import TestSupport
import Testing

@testable import RabbitMQ

@Suite("deliveries for many consumers at once", .timeLimit(.minutes(2)))
struct ManyConsumersTests {
    /// Body sizes that lie in one read, in several, and in several chunks of memory.
    @Test(arguments: [[0, 1, 100], [100, 3000, 7], [20_000, 0, 100_000], [4000]], [1, 5])
    func `each gets its own, whole and in order, whatever is received together`(
        sizes: [Int],
        channels: Int
    ) async throws {
        try await ScriptedPeer.withConnection { peer, connection in
            var queues: [Queue] = []
            for number in 1...channels {
                queues.append(
                    try await peer.declareQueue(on: try await peer.openChannel(on: connection, UInt16(number)))
                )
            }
            var consumers: [Deliveries] = []
            for number in 0..<20 {
                consumers.append(try await peer.consume(queues[number % channels], noAck: number % 3 == 0))
            }
            let count = 2000 / (1 + (sizes.max() ?? 0) / 2000)
            let tags = consumers.map(\.consumer.tag)
            let receiving = Task { [consumers] in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for (index, deliveries) in consumers.enumerated() {
                        group.addTask {
                            var number = index
                            for try await message in deliveries {
                                let size = sizes[number % sizes.count]
                                #expect(message.deliveryTag == UInt64(number + 1))
                                #expect(
                                    message.body == [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: size)
                                )
                                // Those that need it are known to the channel by the time they are seen.
                                if index % 3 != 0 { try message.ack() }
                                number += consumers.count
                                if number >= count { break }
                            }
                            #expect(number >= count)
                        }
                    }
                    try await group.waitForAll()
                }
            }
            for number in 0..<count {
                let body = [UInt8](
                    repeating: UInt8(truncatingIfNeeded: number),
                    count: sizes[number % sizes.count]
                )
                try await peer.send(
                    PeerFrame.delivery(
                        body,
                        tag: UInt64(number + 1),
                        consumer: tags[number % tags.count],
                        channel: UInt16(number % tags.count % channels + 1)
                    )
                )
            }
            try await within(.seconds(60), "all deliveries") { try await receiving.value }
        }
    }

    @Test func `tags of any length that look alike are told apart`() async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            // The same end, the same beginning, and both, with a difference in between.
            let tags =
                [1, 2, 7, 8, 9, 15, 16, 17, 100].flatMap { length in
                    ["a", "b"].map { $0 + String(repeating: "x", count: length - 1) }
                } + ["12345678a12345678", "12345678b12345678", "1234567a12345678", "1234567b12345678"]
            var consumers: [Deliveries] = []
            for tag in tags {
                async let consuming = queue.consume(ConsumerOptions(tag: tag, noAck: true))
                try await peer.startConsumer()
                consumers.append(try await consuming)
            }
            for round in 0..<3 as Range<UInt64> {
                for (index, tag) in tags.enumerated() {
                    let number = round * UInt64(tags.count) + UInt64(index) + 1
                    try await peer.send(PeerFrame.delivery(Array(tag.utf8), tag: number, consumer: tag))
                }
            }
            for (deliveries, tag) in zip(consumers, tags) {
                var iterator = deliveries.makeAsyncIterator()
                for _ in 0..<3 { #expect(try await iterator.next()?.body == Array(tag.utf8)) }
            }
        }
    }
}
