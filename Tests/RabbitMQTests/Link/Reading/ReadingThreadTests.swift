import TestSupport
import Testing

@testable import RabbitMQ

@Suite("the thread that reads")
struct ReadingThreadTests {
    private static let ack = PeerFrame.method(.basicAck, channel: 1) {
        $0.longLong(7)
        $0.octet(0)
    }
    private static let ackOfMany = PeerFrame.method(.basicAck, channel: 1) {
        $0.longLong(7)
        $0.octet(1)
    }
    private static let nack = PeerFrame.method(.basicNack, channel: 1) {
        $0.longLong(7)
        $0.octet(0)
    }
    private static let blocked = PeerFrame.method(.connectionBlocked, channel: 0) { $0.shortString("memory") }
    private static let all = [
        ack, ackOfMany, nack, blocked, .heartbeat, .header(channel: 1, bodySize: 1), .body(channel: 1, [1]),
        .method(.channelCloseOk, channel: 1), PeerFrame(type: 1, channel: 1, payload: [0, 60]),
    ]

    private func takes(
        _ frame: PeerFrame,
        _ thread: ReadingThread,
        after count: Int = 0,
        unconfirmed: Int = 1000
    ) -> Bool {
        var thread = thread
        return takes(frame, &thread, after: count, unconfirmed: unconfirmed)
    }

    private func takes(
        _ frame: PeerFrame,
        _ thread: inout ReadingThread,
        after count: Int = 0,
        unconfirmed: Int = 1000
    ) -> Bool {
        frame.bytes.withUnsafeBytes { bytes in
            guard case .frame(let frame, _) = FrameScanner(frameMax: 4096).next(in: bytes, from: 0) else {
                return false
            }
            return thread.takes(
                frame,
                UnsafeRawBufferPointer(rebasing: bytes[frame.payload]),
                after: count,
                unconfirmed: { unconfirmed }
            )
        }
    }

    @Test func `the queue takes every frame`() {
        for frame in Self.all { #expect(takes(frame, .queue), "\(frame)") }
    }

    @Test func `the poller takes what is short and calls nobody: heartbeats and single confirms`() {
        #expect(Self.all.filter { takes($0, .poller) } == [Self.ack, .heartbeat])
    }

    @Test func `the poller takes a confirm of many only where few wait for it`() {
        #expect(takes(Self.ackOfMany, .poller, unconfirmed: 64))
        #expect(!takes(Self.ackOfMany, .poller, unconfirmed: 65))
    }

    @Test func `the poller takes answers that only a call waits for, and the message that was asked for`() {
        var thread = ReadingThread.poller
        let declared = PeerFrame.method(.queueDeclareOk, channel: 1) {
            $0.shortString("q")
            $0.long(0)
            $0.long(0)
        }
        #expect(takes(declared, &thread))
        #expect(!takes(.header(channel: 1, bodySize: 1), &thread))
        let gotten = PeerFrame.gotten([1], tag: 1)
        #expect(gotten.count == 3 && gotten.allSatisfy { takes($0, &thread) })
        // But not another channel's.
        #expect(!takes(.header(channel: 2, bodySize: 1), &thread))
        // One that is larger than may be is logged, which may take long.
        #expect(!takes(.header(channel: 1, bodySize: 4097), &thread))
        // Nor one that takes long.
        #expect(!takes(.body(channel: 1, [1]), &thread, after: 4097))
    }

    @Test func `the poller takes no confirm behind many bytes, each of which may wake somebody`() {
        #expect(takes(Self.ack, .poller, after: 4096))
        #expect(!takes(Self.ack, .poller, after: 4097))
        #expect(takes(Self.ack, .queue, after: 4097))
    }
}
