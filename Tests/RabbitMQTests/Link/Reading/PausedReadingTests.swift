import TestSupport
import Testing

@testable import RabbitMQ

@Suite("a consumer that takes nothing", .timeLimit(.minutes(1)))
struct PausedReadingTests {
    private let body = [UInt8](repeating: 0, count: 16 * 1024)

    /// A connection whose reading is paused.
    private func withPause(
        overTCP: Bool = false,
        heartbeat: UInt16 = 0,
        log: CapturedLog = CapturedLog(),
        _ body: (ScriptedPeer, Connection, Deliveries) async throws -> Void
    ) async throws {
        let peer = try ScriptedPeer(overTCP: overTCP)
        defer { peer.hangUp() }
        let connection = try await peer.connect(
            tune: .init(heartbeat: heartbeat),
            configure: {
                $0.inboundHighWater = 16 * 1024
                $0.heartbeat = .seconds(Int64(heartbeat))
                $0.logger = log.logger
            }
        )
        let channel = try await peer.openChannel(on: connection)
        let queue = try await peer.declareQueue("slow", on: channel)
        let deliveries = try await peer.consume(queue, noAck: true)
        try await peer.send(PeerFrame.delivery(self.body, tag: 1, consumer: deliveries.consumer.tag))
        try await eventually("reading pauses") { await connection.link.reading.isPaused }
        try await body(peer, connection, deliveries)
    }

    @Test func `is named in the log after some seconds, and so is that it takes messages again`() async throws {
        let log = CapturedLog()
        try await withPause(log: log) { _, connection, deliveries in
            try await eventually("a warning") { log.entries(containing: "nothing is read").count == 1 }
            let entry = try #require(log.entries(containing: "nothing is read").first?.description)
            #expect(entry.contains("warning"))
            #expect(entry.contains("slow"))
            #expect(entry.contains(deliveries.consumer.tag))
            var iterator = deliveries.makeAsyncIterator()
            _ = try await iterator.next()
            try await eventually("its end") { log.entries(containing: "is read again").count == 1 }
            #expect(log.entries(containing: "nothing is read").count == 1)
        }
    }

    @Test func `is not named when it takes its time and goes on`() async throws {
        let log = CapturedLog()
        try await withPause(log: log) { peer, connection, deliveries in
            var iterator = deliveries.makeAsyncIterator()
            for tag in 2...20 as ClosedRange<UInt64> {
                _ = try await iterator.next()
                try await peer.send(PeerFrame.delivery(body, tag: tag, consumer: deliveries.consumer.tag))
                try await eventually("reading pauses") { await connection.link.reading.isPaused }
            }
            _ = try await iterator.next()
            try await eventually("nothing is remembered") { await connection.link.pause.isOpen == false }
            #expect(log.entries(containing: "is read").isEmpty)
        }
    }

    @Test func `is forgotten when it takes everything while somebody waits for the broker`() async throws {
        let log = CapturedLog()
        try await withPause(log: log) { peer, connection, deliveries in
            let opening = Task { try await connection.openChannel() }
            try await eventually("reading goes on") { await !connection.link.reading.isPaused }
            await connection.link.warnOfPause()
            #expect(await connection.link.pause.isUnsaid)
            var iterator = deliveries.makeAsyncIterator()
            _ = try await iterator.next()
            try await eventually("nothing is remembered") { await connection.link.pause.isOpen == false }
            await connection.link.warnOfPause()
            #expect(log.entries(containing: "is read").isEmpty)
            opening.cancel()
            _ = await opening.result
        }
    }

    @Test(arguments: [false, true])
    func `does not hide that the peer hangs up, without heartbeats`(overTCP: Bool) async throws {
        try await withPause(overTCP: overTCP) { peer, connection, deliveries in
            peer.hangUp()
            let reason = try await within(.seconds(10), "the end") { try await connection.closed }
            #expect(reason.error.code == .connectionLost)
            withExtendedLifetime(deliveries) {}
        }
    }

    @Test func `does not hide a reset, without heartbeats`() async throws {
        try await withPause(overTCP: true) { peer, connection, deliveries in
            peer.reset()
            let reason = try await within(.seconds(10), "the end") { try await connection.closed }
            #expect(reason.error.code == .connectionLost)
            withExtendedLifetime(deliveries) {}
        }
    }

    @Test func `does not hide what the peer says before it hangs up`() async throws {
        try await withPause(overTCP: true) { peer, connection, deliveries in
            try await peer.sendClose(.connectionClose, channel: 0, code: 320, text: "shutdown")
            peer.hangUp()
            let reason = try await within(.seconds(10), "the end") { try await connection.closed }
            #expect(reason.error.replyCode == .connectionForced)
            withExtendedLifetime(deliveries) {}
        }
    }

    @Test func `does not hide that the peer falls silent`() async throws {
        try await withPause(overTCP: true, heartbeat: 1) { _, connection, deliveries in
            let reason = try await within(.seconds(20), "the end") { try await connection.closed }
            #expect(reason.error.code == .connectionLost)
            #expect(reason.error.message.contains("silent"))
            withExtendedLifetime(deliveries) {}
        }
    }

    @Test func `does not hide that the peer falls silent from who calls again and again`() async throws {
        try await withPause(overTCP: true, heartbeat: 1) { _, connection, deliveries in
            let calling = Task {
                // So that reading goes on for a moment, more often than the peer may be silent.
                while !Task.isCancelled {
                    connection.link.gauge.callBegan()
                    try await eventually("reading goes on") { await !connection.link.reading.isPaused }
                    connection.link.gauge.callEnded()
                    await connection.link.updateReading()
                    try await Task.sleep(for: .milliseconds(100))
                }
            }
            defer { calling.cancel() }
            let reason = try await within(.seconds(20), "the end") { try await connection.closed }
            #expect(reason.error.message.contains("silent"))
            withExtendedLifetime(deliveries) {}
        }
    }

    @Test func `does not end a connection whose peer sends heartbeats`() async throws {
        try await withPause(overTCP: true, heartbeat: 1) { peer, connection, deliveries in
            try await peer.whileBeating {
                // Longer than the two intervals after which silence is the end.
                try await Task.sleep(for: .seconds(4))
            }
            #expect(connection.closeReason == nil)
            withExtendedLifetime(deliveries) {}
        }
    }
}
