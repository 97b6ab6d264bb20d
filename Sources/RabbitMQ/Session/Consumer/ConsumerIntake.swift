#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// Fills the runs that one consumer gets, on the link's queue.
final class ConsumerIntake {
    let consumer: Consumer
    let source: DeliverySource
    /// As the source says, whose use the consumer's messages count up and down.
    let noAck: Bool
    private let tagBytes: [UInt8]
    private let buffer: DeliveryBuffer
    private let chunks: ChunkShelf
    /// The run that is being filled.
    @exclusivity(unchecked) private(set) var run: DeliveryRun
    /// Runs of the batch before it.
    private var fullRuns: [DeliveryRun] = []

    init(_ consumer: Consumer) {
        self.consumer = consumer
        source = consumer.source
        noAck = consumer.noAck
        buffer = consumer.buffer
        chunks = source.session.link.chunks
        run = DeliveryRun(chunks: chunks)
        run.begin(source)
        tagBytes = Array(consumer.tag.utf8)
    }

    @inline(__always)
    func hasTag(_ tag: UnsafeBufferPointer<UInt8>) -> Bool {
        guard tagBytes.count == tag.count, let base = tag.baseAddress else { return false }
        return tagBytes.withUnsafeBufferPointer { bytes in
            bytes.baseAddress.map { memcmp($0, base, tag.count) == 0 } ?? false
        }
    }

    @inline(__always)
    func append(_ chunk: ReceiveChunk, _ frames: Range<Int>) {
        if run.append(chunk, frames) { return }
        beginRun()
        _ = run.append(chunk, frames)
    }

    func append(_ message: IncomingMessage) { run.append(message) }

    private func beginRun() {
        fullRuns.append(run)
        run = newRun()
    }

    private func newRun() -> DeliveryRun {
        let run = DeliveryRun(chunks: chunks)
        run.begin(source)
        return run
    }

    func handOver() {
        if !fullRuns.isEmpty {
            for run in fullRuns { _ = handOver(run) }
            fullRuns = []
        }
        run = handOver(run)
    }

    /// Hands a run over.
    ///
    /// - Returns: An empty one.
    private func handOver(_ run: DeliveryRun) -> DeliveryRun {
        run.copyIfSmall()
        switch buffer.append(run) {
        case .taken(let spare):
            spare?.begin(source)
            return spare ?? newRun()
        case .ended:
            consumer.giveBack([run])
            return newRun()
        }
    }
}
