internal import DequeModule

/// One iteration over a consumer's messages. Its end, for whatever reason, is the end of the consumer.
final class DeliveryCursor {
    private let consumer: Consumer
    private var batch: Deque<IncomingMessage> = []

    init(_ consumer: Consumer) { self.consumer = consumer }

    deinit {
        consumer.cancelInBackground()
        consumer.giveBack(batch)
    }

    /// The next message, or nil if the consumer was cancelled.
    @inline(__always)
    func next() async throws -> IncomingMessage? {
        if consumer.buffer.isCutOff || Task.isCancelled { giveBack() }
        if let message = batch.popFirst() { return message }
        return try await nextOfNextBatch()
    }

    private func nextOfNextBatch() async throws -> IncomingMessage? {
        let emptied = batch
        batch = []
        do {
            guard let taken = try await consumer.buffer.take(leaving: emptied) else { return nil }
            batch = taken
            return batch.popFirst()
        } catch {
            if error is CancellationError { consumer.cancelInBackground() }
            throw error
        }
    }

    private func giveBack() {
        if Task.isCancelled { consumer.cancelInBackground() }
        consumer.giveBack(batch)
        batch = []
    }
}
