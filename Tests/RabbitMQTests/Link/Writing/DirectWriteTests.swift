import TestSupport
import Testing

@testable import RabbitMQ

@Suite("writing at once")
struct DirectWriteTests {
    private final class Writer: SettlementWriter {
        func writeSettlements(to buffer: OutboundBuffer) {
            try? buffer.appendAck(channel: 1, deliveryTag: 1, multiple: false)
        }
    }

    private let pair: SocketPair
    private let outbox: Outbox
    private let wakes = Collected<Void>()

    init() throws {
        pair = try SocketPair()
        outbox = Outbox(limits: Outbox.Limits(highWater: 1000, lowWater: 500)) { [wakes] in wakes.add(()) }
        outbox.allowDirectWrites(to: pair.client)
    }

    /// Appends a heartbeat.
    ///
    /// - Returns: Whether it was written, and not left to the queue.
    private func isWritten() throws -> Bool {
        let before = wakes.count
        try outbox.append { $0.appendHeartbeat() }
        return wakes.count == before && outbox.pending == 0
    }

    /// Has the queue write what it was woken for.
    private func flush() {
        while case .write(let buffer) = outbox.exchange(OutboundBuffer(), after: 0) { outbox.wrote(buffer.byteCount) }
    }

    @Test func `happens once for each time that something was received`() throws {
        #expect(try isWritten())
        #expect(try !isWritten())
        flush()
        outbox.noteReceived()
        #expect(try isWritten())
    }

    @Test func `an acknowledgement, which the queue writes, doesn't use it up`() throws {
        #expect(outbox.settleSoon(Writer()) == nil)
        #expect(wakes.count == 1)
        flush()
        #expect(try isWritten())
        #expect(try !isWritten())
    }

    @Test func `is not used up while something is in flight, or somebody waits`() throws {
        #expect(try isWritten())
        #expect(try !isWritten())
        guard case .write(let buffer) = outbox.exchange(OutboundBuffer(), after: 0) else {
            Issue.record("nothing to write")
            return
        }
        outbox.noteReceived()
        guard case .rest = outbox.exchange(OutboundBuffer(), after: buffer.byteCount) else {
            Issue.record("something to write")
            return
        }
        #expect(try !isWritten())
        outbox.wrote(buffer.byteCount)
        flush()
        #expect(try isWritten())
    }
}
