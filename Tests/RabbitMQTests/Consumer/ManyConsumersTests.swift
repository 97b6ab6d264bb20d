import TestSupport
import Testing

@testable import RabbitMQ

@Suite("deliveries for many consumers at once", .timeLimit(.minutes(2)))
struct ManyConsumersTests {
    /// Body sizes that lie in one read, in several, and in several chunks of memory.
    @Test(arguments: [[0, 1, 100], [100, 3000, 7], [20_000, 0, 100_000], [4000]])
    func `each gets its own, whole and in order, whatever is received together`(sizes: [Int]) async throws {
        try await ScriptedPeer.withChannel { peer, _, channel in
            let queue = try await peer.declareQueue(on: channel)
            var consumers: [Deliveries] = []
            for _ in 0..<20 { consumers.append(try await peer.consume(queue, noAck: true)) }
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
                    PeerFrame.delivery(body, tag: UInt64(number + 1), consumer: tags[number % tags.count])
                )
            }
            try await within(.seconds(60), "all deliveries") { try await receiving.value }
        }
    }
}
