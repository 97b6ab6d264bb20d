/// Where a link reads.
enum ReadingThread {
    /// On a thread of Dispatch's, as everything else on the link's queue.
    case queue
    /// On the poller's thread, which holds the queue meanwhile: that spares a lone message the time to wake another thread.
    /// All connections share that thread, so only what surely takes little time is done there, and what can't call the
    /// application's code, such as a log that is slow; but for the executor of whoever waits for a message, which is told to go
    /// on. The rest is left to the queue. So it is with the timer's thread, which reads when a read was put off.
    case poller
    /// There as well, behind a basic.get-ok on this channel, whose message comes next.
    case pollerGetting(channel: UInt16)

    var isPoller: Bool { if case .queue = self { false } else { true } }

    /// How many times to read before the queue gets to do something else. After a record of TLS one has to look whether
    /// there is more.
    var mostReads: Int { isPoller ? 2 : 24 }

    /// So many bytes at once are little: a few messages, on which the queue would spend less time than on waking up.
    static let little = 4096

    /// So many messages are soon told that the broker has them.
    private static let fewUnconfirmed = 64

    /// Whether a frame that is no delivery, which is always taken, may be handled here.
    ///
    /// - Parameters:
    ///   - count: How many bytes were handled before it.
    ///   - unconfirmed: How many messages of its channel wait for their outcome.
    mutating func takes(
        _ frame: FrameScanner.Frame,
        _ payload: UnsafeRawBufferPointer,
        after count: Int,
        unconfirmed: () -> Int
    ) -> Bool {
        switch (self, frame.kind) {
        case (.queue, _), (_, .heartbeat): return true
        case (_, .method):
            guard count <= Self.little, payload.count >= 4 else { return false }
            let method = payload.bigEndian(UInt32.self, at: 0)
            if method == MethodDecoder.getOk { self = .pollerGetting(channel: frame.channel) }
            return MethodDecoder.isSilentAnswer(method)
                || method == MethodDecoder.ack && Self.settlesFew(payload, unconfirmed)
        // One that is too large is logged.
        case (.pollerGetting(let channel), .header):
            let size = HeaderDecoder.bodySize(payload, 0..<payload.count)
            return channel == frame.channel && count <= Self.little && size ?? .max <= UInt64(Self.little)
        case (.pollerGetting(let channel), .body):
            return channel == frame.channel && count <= Self.little && payload.count <= Self.little
        case (.poller, _): return false
        }
    }

    /// Whether a basic.ack is about few messages (AMQP 0-9-1, basic.ack).
    private static func settlesFew(_ payload: UnsafeRawBufferPointer, _ unconfirmed: () -> Int) -> Bool {
        guard payload.count == 13 else { return false }
        return payload[12] & 1 == 0 || unconfirmed() <= fewUnconfirmed
    }
}
