import Glibc
import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("the outbox", .timeLimit(.minutes(1)))
struct OutboxTests {
    private let lost = AMQPError(.connectionLost, "lost")

    private func outbox(highWater: Int = 1000) -> Outbox {
        let outbox = Outbox(limits: Outbox.Limits(highWater: highWater, lowWater: highWater / 2)) { _ in }
        outbox.frameMax = 131_072
        return outbox
    }

    /// Appends `count` bytes as a message would.
    private func fill(_ outbox: Outbox, _ count: Int) throws {
        try outbox.append { buffer in
            buffer.room(for: count).initializeMemory(as: UInt8.self, repeating: 0, count: count)
            buffer.advance(count)
        }
    }

    /// Has the queue write everything.
    private func drain(_ outbox: Outbox) {
        guard case .write(let buffer) = outbox.exchange(OutboundBuffer(), after: 0) else { return }
        outbox.wrote(buffer.byteCount)
    }

    private func hold(_ outbox: Outbox, size: Int) throws -> OneShot<Void> {
        try #require(try outbox.publish(size: size, isAdmitted: false) { _ in })
    }

    @Test func `publishers wait from the high-water mark on, and go on in order below the low one`() throws {
        let outbox = outbox()
        try fill(outbox, 999)
        let none = try outbox.publish(size: 10, isAdmitted: false) { _ in }
        #expect(none == nil)
        try fill(outbox, 1)
        let waiting = try (1...3).map { _ in try hold(outbox, size: 600) }
        drain(outbox)
        // Two of them fill it again.
        #expect(waiting.map(\.isSettled) == [true, true, false])
        _ = try outbox.publish(size: 600, isAdmitted: true) { _ in }
        _ = try outbox.publish(size: 600, isAdmitted: true) { _ in }
        try fill(outbox, 1)
        drain(outbox)
        #expect(waiting[2].isSettled)
    }

    @Test func `answers that the peer asks for are bounded as long as it takes none`() throws {
        let outbox = outbox()
        outbox.state.withLock { $0.answers = Outbox.mostAnswers - 1 }
        try outbox.noteAnswer()
        #expect(throws: AMQPError.self) { try outbox.noteAnswer() }
        try fill(outbox, 10)
        drain(outbox)
        try outbox.noteAnswer()
    }

    @Test func `a publisher that is let through and fails lets the next one through`() throws {
        let outbox = outbox()
        try fill(outbox, 1000)
        let first = try hold(outbox, size: 2000)
        let second = try hold(outbox, size: 10)
        drain(outbox)
        #expect(first.isSettled)
        #expect(!second.isSettled)
        let failure = AMQPError(.channelClosed, "its channel is gone")
        #expect(throws: AMQPError.self) {
            _ = try outbox.publish(size: 2000, isAdmitted: true) { (_) throws(AMQPError) in throw failure }
        }
        #expect(second.isSettled)
    }

    @Test func `many who have given up are passed over at once, on any stack`() throws {
        let outbox = outbox()
        outbox.setBlocked("memory")
        let gone = try (0..<30_000).map { _ in try hold(outbox, size: 5000) }
        for waiter in gone { waiter.fail(CancellationError()) }
        let last = try hold(outbox, size: 5000)
        outbox.setBlocked(nil)
        #expect(last.isSettled)
    }

    @Test func `those who give up while the broker blocks are forgotten`() throws {
        let outbox = outbox()
        outbox.setBlocked("memory")
        let stays = try hold(outbox, size: 1)
        for _ in 0..<5_000 {
            try hold(outbox, size: 1).fail(CancellationError())
            outbox.withdraw()
        }
        #expect(outbox.state.withLock { $0.heldBack.count } < 200)
        outbox.setBlocked(nil)
        #expect(stays.isSettled)
    }

    @Test func `while the broker blocks nobody is let through, however much is written`() throws {
        let outbox = outbox()
        outbox.setBlocked("disk")
        #expect(outbox.blockedReason == "disk")
        let waiting = try hold(outbox, size: 1)
        try fill(outbox, 10)
        drain(outbox)
        #expect(!waiting.isSettled)
        outbox.setBlocked(nil)
        #expect(waiting.isSettled)
    }

    @Test func `an end counts once, and leaves nothing blocked`() throws {
        let outbox = outbox()
        outbox.setBlocked("disk")
        try outbox.conclude(.connectionClose(replyCode: 200, replyText: ""), AMQPError(.connectionClosed, "closed"))
        #expect(outbox.state.withLock { $0.ending?.stage == .concluded && $0.ending?.reason.code == .connectionClosed })
        outbox.end(lost)
        outbox.end(AMQPError(.connectionClosed, "too late"))
        #expect(outbox.state.withLock { $0.ending?.stage == .ended && $0.ending?.reason.code == .connectionLost })
        #expect(outbox.blockedReason == nil)
        #expect(throws: AMQPError.self) {
            try outbox.send(.connectionCloseOk, channel: 0, isFarewell: true)
        }
    }

    @Test func `methods never wait behind the mark`() throws {
        let outbox = outbox()
        try fill(outbox, 5000)
        try outbox.send(.channelOpen, channel: 1)
        guard case .write(let buffer) = outbox.exchange(OutboundBuffer(), after: 0) else {
            Issue.record("nothing to write")
            return
        }
        #expect(buffer.byteCount > 5000)
    }

    @Test func `the end fails whoever waits, and whatever comes later`() async throws {
        let outbox = outbox()
        try fill(outbox, 1000)
        let waiting = try hold(outbox, size: 1)
        outbox.end(lost)
        let error = try await thrownError { try await waiting.value() }
        #expect(error.code == .connectionLost)
        #expect(throws: AMQPError.self) { try outbox.send(.channelOpen, channel: 1) }
        #expect(throws: AMQPError.self) { _ = try outbox.publish(size: 1, isAdmitted: false) { _ in } }
        guard case .rest = outbox.exchange(OutboundBuffer(), after: 0) else {
            Issue.record("something is to be written after the end")
            return
        }
    }

    @Test func `connection.close goes out behind what is held back, and only close-ok behind it`() throws {
        final class Writer: SettlementWriter {
            func writeSettlements(to buffer: OutboundBuffer) {
                try? buffer.appendAck(channel: 1, deliveryTag: 7, multiple: true)
            }

            func endSettlements(_ reason: AMQPError, to buffer: OutboundBuffer) { writeSettlements(to: buffer) }
        }
        let outbox = outbox()
        #expect(outbox.settleSoon(Writer()) == nil)
        let closed = AMQPError(.connectionClosed, "closed")
        try outbox.conclude(.connectionClose(replyCode: 200, replyText: ""), closed)
        #expect(outbox.settleSoon(Writer())?.code == .connectionClosed)
        #expect(throws: AMQPError.self) { try outbox.send(.channelOpen, channel: 1) }
        #expect(throws: AMQPError.self) { try outbox.append { $0.appendHeartbeat() } }
        #expect(throws: AMQPError.self) { _ = try outbox.publish(size: 1, isAdmitted: false) { _ in } }
        try outbox.send(.connectionCloseOk, channel: 0, isFarewell: true)
        let methods = frames(in: try written(outbox)).map(\.method)
        #expect(methods == [.basicAck, .connectionClose, .connectionCloseOk])
    }

    @Test func `connection.close goes out behind what nobody has told of yet, and it is the last`() throws {
        final class Writer: SettlementWriter {
            let reason = Mutex<AMQPError?>(nil)

            func writeSettlements(to buffer: OutboundBuffer) {}

            func endSettlements(_ reason: AMQPError, to buffer: OutboundBuffer) {
                try? buffer.appendAck(channel: 1, deliveryTag: 7, multiple: true)
                self.reason.withLock { $0 = reason }
            }
        }
        let outbox = outbox()
        let writer = Writer()
        let closed = AMQPError(.connectionClosed, "closed")
        try outbox.conclude(.connectionClose(replyCode: 200, replyText: ""), closed, settling: [writer])
        #expect(frames(in: try written(outbox)).map(\.method) == [.basicAck, .connectionClose])
        #expect(writer.reason.withLock { $0?.code } == .connectionClosed)
    }

    @Test func `a method that can't be registered is not sent`() throws {
        let outbox = outbox()
        let closed = AMQPError(.channelClosed, "closed")
        #expect(throws: AMQPError.self) {
            try outbox.send(.channelOpen, channel: 1) { () throws(AMQPError) in throw closed }
        }
        #expect(outbox.state.withLock { $0.buffer.isEmpty })
    }

    private func written(_ outbox: Outbox) throws -> [UInt8] {
        guard case .write(let buffer) = outbox.exchange(OutboundBuffer(), after: 0) else { return [] }
        return try drained(buffer)
    }

    // MARK: One link after the other

    @Test func `what an earlier link still sends is refused, and the next begins anew`() async throws {
        let outbox = outbox()
        let first = outbox.attach()
        outbox.frameMax = 4096
        try outbox.send(.channelOpen, channel: 1, from: first)
        outbox.setBlocked("memory")
        let waiting = try hold(outbox, size: 10)
        outbox.detach(lost, from: first)
        #expect(outbox.blockedReason == nil && outbox.pending == 0)
        let error = try await thrownError { try await waiting.value() }
        #expect(error.code == .connectionLost)
        // Until then nothing is taken, and whoever publishes is not refused, but looks what to do.
        #expect(throws: AMQPError.self) { try outbox.send(.channelOpen, channel: 1, from: first) }
        let lastMeeting = Atomic<UInt64>(0)
        let isAppended = try outbox.publish(lastMeeting: lastMeeting) { _ in true }
        #expect(!isAppended)
        #expect(throws: AMQPError.self) { _ = try outbox.publish(size: 1, isAdmitted: false) { _ in } }
        #expect(throws: AMQPError.self) { _ = try outbox.flush() }
        let second = outbox.attach()
        #expect(outbox.frameMax == 131_072)
        try outbox.send(.channelOpen, channel: 1, from: second)
        let refused = #expect(throws: AMQPError.self) { try outbox.send(.channelOpen, channel: 1, from: first) }
        #expect(refused?.code == .connectionLost)
        #expect(throws: AMQPError.self) { try outbox.append(from: first) { _ in } }
        let session = ChannelSession(link: Link(configuration: ConnectionConfiguration()), number: 1)
        #expect(outbox.settleSoon(session, from: first)?.code == .connectionLost)
        #expect(outbox.settleSoon(session, from: second) == nil)
    }

    @Test func `a link that ends late leaves its successor's outbox alone`() throws {
        let outbox = outbox()
        let old = outbox.attach()
        let new = outbox.attach()
        outbox.detach(lost, from: old)
        outbox.end(lost, from: old)
        try outbox.send(.channelOpen, channel: 1, from: new)
        outbox.end(lost, from: new)
        #expect(throws: AMQPError.self) { try outbox.send(.channelOpen, channel: 1, from: new) }
    }

    @Test func `room that was promised before a loss is not kept from those behind it`() throws {
        let outbox = outbox()
        let first = outbox.attach()
        try outbox.append(from: first) { buffer throws(AMQPError) in
            buffer.room(for: 1000).initializeMemory(as: UInt8.self, repeating: 0, count: 1000)
            buffer.advance(1000)
        }
        let waiting = try hold(outbox, size: 600)
        drain(outbox)
        #expect(waiting.isSettled)
        outbox.detach(lost, from: first)
        _ = outbox.attach()
        #expect(outbox.state.withLock { $0.committed } == 600)
        // It was let through, and looks for its session, which is gone.
        #expect(throws: AMQPError.self) {
            _ = try outbox.publish(size: 600, isAdmitted: true) { _ throws(AMQPError) in throw lost }
        }
        #expect(outbox.state.withLock { $0.committed } == 0)
    }
}
