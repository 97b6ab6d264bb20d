/// One iteration over a consumer's messages. Its end, for whatever reason, is the end of the consumer.
@usableFromInline
final class DeliveryCursor {
    private let consumer: Consumer
    @exclusivity(unchecked) private var run: DeliveryRun?
    /// From the link's shelf, while there is a run.
    @exclusivity(unchecked) private var decoder: DeliveryDecoder?

    init(_ consumer: Consumer) { self.consumer = consumer }

    deinit {
        consumer.cancelInBackground()
        giveBack()
    }

    /// The next message, or nil if the consumer was cancelled.
    func next() async throws -> IncomingMessage? {
        if let message = try nextAtHand() { return message }
        return try await nextOfNextRun()
    }

    /// The next message, if it need not be waited for.
    @usableFromInline
    func nextAtHand() throws -> IncomingMessage? {
        if consumer.buffer.isCutOff || Task.isCancelled { try stop() }
        guard let run, let decoder else { return nil }
        return try pop(run, decoder)
    }

    @inline(__always)
    private func pop(_ run: DeliveryRun, _ decoder: DeliveryDecoder) throws(AMQPError) -> IncomingMessage? {
        do throws(AMQPError) {
            return try run.popFirst(consumer.source, decoder)
        } catch {
            // What the broker sent is no AMQP: the connection can't go on.
            consumer.source.session.link.onQueue { $0.end(error) }
            throw error
        }
    }

    /// Waits for the next message, when none is at hand.
    @usableFromInline
    func nextOfNextRun() async throws -> IncomingMessage? {
        do {
            let emptied = run
            run = nil
            putDecoderDown()
            guard let taken = try await consumer.buffer.take(returning: emptied) else { return nil }
            let decoder = shelf.take()
            (run, self.decoder) = (taken, decoder)
            let message = try pop(taken, decoder)
            // Mostly that answers it, so that what is left in the end goes back at once.
            if let message, let question = consumer.source.question { question.consider(message) }
            return message
        } catch {
            if error is CancellationError { consumer.cancelInBackground() }
            throw error
        }
    }

    /// Waits until ``next()`` need not wait, whatever it then gives, or until the time has come.
    ///
    /// - Parameters:
    ///   - deadline: In nanoseconds of ``MonotonicTime``.
    ///   - batch: What was taken before, and is not seen before this returns.
    /// - Returns: Whether ``next()`` need not wait.
    func isReady(before deadline: UInt64, holding batch: HeldBatch) async -> Bool {
        if let run, !run.isEmpty { return true }
        return await consumer.buffer.isReady(before: deadline, holding: batch)
    }

    private func stop() throws(CancellationError) {
        giveBack()
        guard Task.isCancelled else { return }
        consumer.cancelInBackground()
        throw CancellationError()
    }

    private var shelf: DecoderShelf { consumer.source.session.link.decoders }

    private func putDecoderDown() {
        guard let decoder else { return }
        self.decoder = nil
        shelf.put(decoder)
    }

    private func giveBack() {
        putDecoderDown()
        guard let run else { return }
        self.run = nil
        consumer.buffer.release(run)
        consumer.giveBack([run])
    }
}
