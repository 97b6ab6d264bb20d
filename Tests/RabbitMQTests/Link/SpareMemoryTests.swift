import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("memory that a busy time has left", .timeLimit(.minutes(1)))
struct SpareMemoryTests {
    @Test func `is given back without heartbeats, and nobody is woken any more`() async throws {
        try await ScriptedPeer.withChannel { configuration in
            configuration.heartbeat = .zero
            configuration.spareMemoryTime = .milliseconds(20)
        } _: { peer, connection, channel in
            let link = connection.link
            let body = [UInt8](repeating: 0, count: 8 * 1024)
            for _ in 0..<20 { try await channel.defaultExchange.publish(Message(body: body), routingKey: "k") }
            for _ in 0..<20 { _ = try await peer.expectPublish() }
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue, noAck: true)
            // What is held while more comes is received into ever new memory.
            let frames = (1...100).flatMap { PeerFrame.delivery(body, tag: $0, consumer: deliveries.consumer.tag) }
            try await peer.send(frames)
            var (count, iterator) = (0, deliveries.makeAsyncIterator())
            while count < 100, try await iterator.next() != nil { count += 1 }
            // Again and again: the timer comes for what is left next, too.
            for _ in 0..<3 {
                link.chunks.put(link.chunks.take(64 * 1024))
                link.decoders.put(link.decoders.take())
                try await eventually("it is given back") { await link.spareMemory == 0 }
                try await eventually("the timer rests") { await link.memoryTimer == nil }
            }
        }
    }

    @Test func `is not kept by a connection that has ended`() async throws {
        try await ScriptedPeer.withConnection { configuration in
            configuration.spareMemoryTime = .seconds(3600)
        } _: { peer, connection in
            let link = connection.link
            link.chunks.put(link.chunks.take(64 * 1024))
            link.decoders.put(link.decoders.take())
            try await eventually("the timer is set") { await link.memoryTimer != nil }
            peer.hangUp()
            _ = try await within(.seconds(10), "the end") { try await connection.closed }
            #expect(await link.spareMemory == 0)
            #expect(await link.memoryTimer == nil)
        }
    }

    @Test func `keeps nothing alive while it waits for its time`() async throws {
        weak var weakLink: Link?
        do {
            let link = Link(configuration: ConnectionConfiguration())
            weakLink = link
            link.chunks.put(link.chunks.take(1))
            try await eventually("the timer is set") { await link.memoryTimer != nil }
        }
        try await eventually("the link is freed") { weakLink == nil }
    }
}

extension Link {
    /// What is kept: counts of chunks, decoders and buffers are enough to say that it is nothing.
    fileprivate var spareMemory: Int {
        let isOutboxLarge = outbox.state.withLock { $0.buffer.hasSpareMemory }
        let buffers = [flight.hasSpareMemory, frames.received.hasSpareMemory, isOutboxLarge].count { $0 }
        return buffers + chunks.byteCount + decoders.count
    }
}
