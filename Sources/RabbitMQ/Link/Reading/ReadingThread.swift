/// Where a link reads.
enum ReadingThread {
    /// On a thread of Dispatch's, as everything else on the link's queue.
    case queue
    /// On the poller's thread, which holds the queue meanwhile: that spares a lone message the time to wake another thread.
    /// All connections share that thread, so only what surely takes little time is done there, and what can't call the
    /// application's code, such as a log that is slow; but for the executor of whoever waits for a message, which is told to go
    /// on. The rest is left to the queue.
    case poller

    /// How many times to read before the queue gets to do something else. After a record of TLS one has to look whether
    /// there is more.
    var mostReads: Int {
        switch self {
        case .queue: 24
        case .poller: 2
        }
    }

    /// So many bytes at once are little: a few messages, on which the queue would spend less time than on waking up.
    static let little = 4096

    /// Whether a frame that is no delivery, which is always taken, may be handled here.
    ///
    /// - Parameter count: How many bytes were handled before it.
    func takes(_ frame: FrameScanner.Frame, _ payload: UnsafeRawBufferPointer, after count: Int) -> Bool {
        switch (self, frame.kind) {
        case (.queue, _), (.poller, .heartbeat): true
        case (.poller, .method): count <= Self.little && Self.settlesOneMessage(payload)
        case (.poller, .header), (.poller, .body): false
        }
    }

    /// Whether it is a basic.ack without `multiple` (AMQP 0-9-1, basic.ack).
    private static func settlesOneMessage(_ payload: UnsafeRawBufferPointer) -> Bool {
        payload.count == 13 && payload.bigEndian(UInt32.self, at: 0) == MethodDecoder.ack && payload[12] & 1 == 0
    }
}
