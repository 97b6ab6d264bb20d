import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("flushing a connection", .timeLimit(.minutes(1)))
struct FlushingTests {
    private func publish(_ count: Int, size: Int, to exchange: Exchange) async throws {
        for _ in 0..<count {
            try await exchange.publish(Message(body: [UInt8](repeating: 7, count: size)), routingKey: "q")
        }
    }

    @Test(arguments: [(1, 10), (1000, 100), (20, 100_000)])
    func `returns when all that was published before is written`(count: Int, size: Int) async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let exchange = try await channel.declareExchange("")
            try await publish(count, size: size, to: exchange)
            try await within(.seconds(10), "the flush") { try await connection.flush() }
            #expect(connection.link.outbox.pending == 0)
            for _ in 0..<count { #expect(try await peer.expectPublish().body.count == size) }
            // Nothing is left to wait for.
            try await connection.flush(timeout: .zero)
        }
    }

    @Test func `waits for a peer that does not read, but not for what is published later`() async throws {
        try await ScriptedPeer.withChannel(sendBuffer: 4096) { peer, connection, channel in
            let exchange = try await channel.declareExchange("")
            peer.pauseReading()
            try await publish(1, size: 500_000, to: exchange)
            let outbox = connection.link.outbox
            let early = Task { try await connection.flush() }
            try await eventually("it waits") { outbox.state.withLock { $0.flushWaiters.count } == 1 }
            try await publish(1, size: 500_000, to: exchange)
            let late = Task { try await connection.flush() }
            try await eventually("both wait") { outbox.state.withLock { $0.flushWaiters.count } == 2 }
            peer.resumeReading()
            try await within(.seconds(10), "the first") { try await early.value }
            try await within(.seconds(10), "the second") { try await late.value }
            for _ in 0..<2 { _ = try await peer.expectPublish() }
        }
    }

    @Test func `waits for acknowledgements too`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let queue = try await peer.declareQueue(on: channel)
            let deliveries = try await peer.consume(queue)
            let tag = deliveries.consumer.tag
            try await peer.send((1...3).flatMap { PeerFrame.delivery([1], tag: $0, consumer: tag) })
            var iterator = deliveries.makeAsyncIterator()
            for _ in 1...3 {
                let message = try #require(try await iterator.next())
                try message.ack()
            }
            try await connection.flush()
            #expect(connection.link.outbox.state.withLock { $0.settling.isEmpty && $0.pending == 0 })
            var settled: UInt64 = 0
            while settled < 3 {
                var ack = try await peer.expect(.basicAck, channel: 1).fields
                settled = ack.longLong()
            }
        }
    }

    @Test func `is given up after its time, and leaves nobody listed`() async throws {
        try await ScriptedPeer.withChannel(sendBuffer: 4096) { peer, connection, channel in
            let exchange = try await channel.declareExchange("")
            peer.pauseReading()
            try await publish(1, size: 500_000, to: exchange)
            for timeout in [.milliseconds(20), .zero, .seconds(-1)] as [Duration] {
                let error = try await thrownError { try await connection.flush(timeout: timeout) }
                #expect(error.code == .timedOut)
            }
            let cancelled = Task { try await connection.flush() }
            cancelled.cancel()
            let result = try await within(.seconds(10), "the end") { await cancelled.result }
            #expect(throws: CancellationError.self) { try result.get() }
            #expect(connection.link.outbox.state.withLock { $0.flushWaiters.isEmpty })
            peer.resumeReading()
            try await within(.seconds(10), "the flush") { try await connection.flush(timeout: .seconds(10)) }
            _ = try await peer.expectPublish()
        }
    }

    @Test func `throws the reason if the connection ends before, or has ended`() async throws {
        try await ScriptedPeer.withChannel(sendBuffer: 4096) { peer, connection, channel in
            let exchange = try await channel.declareExchange("")
            peer.pauseReading()
            try await publish(1, size: 500_000, to: exchange)
            let flushing = Task { try await connection.flush() }
            let outbox = connection.link.outbox
            try await eventually("it waits") { outbox.state.withLock { $0.flushWaiters.count } == 1 }
            peer.hangUp()
            #expect(try await thrownError { try await flushing.value }.code == .connectionLost)
            #expect(try await thrownError { try await connection.flush() }.code == .connectionLost)
        }
    }

    @Test func `by many tasks that publish and read answers in between always ends`() async throws {
        try await ScriptedPeer.withChannel { peer, connection, channel in
            let exchange = try await channel.declareExchange("")
            let answering = Task {
                for _ in 0..<400 {
                    _ = try await peer.expectPublish()
                    // What is received lets the next one be written by whoever publishes it.
                    try await peer.send([PeerFrame.heartbeat])
                }
            }
            try await within(.seconds(30), "the tasks") {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<8 {
                        group.addTask {
                            for _ in 0..<50 {
                                try await exchange.publish(Message("x"), routingKey: "q")
                                try await connection.flush()
                            }
                        }
                    }
                    try await group.waitForAll()
                }
            }
            try await within(.seconds(10), "the peer") { try await answering.value }
        }
    }
}
