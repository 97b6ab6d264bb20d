internal import Synchronization

/// One iteration over a consumer's messages. Its end, for whatever reason, is the end of the consumer.
@usableFromInline
final class DeliveryCursor {
    private let consumer: Consumer
    /// What messages are taken from.
    private struct Source {
        let run: DeliveryRun
        /// From the shelf of the link that the run came from.
        let decoder: DeliveryDecoder
        let shelf: DecoderShelf
    }

    private struct AtHand {
        var source: Source?
        /// When the run was taken.
        var epoch: UInt32 = 0
    }

    /// One task iterates, so that its exclusivity need not be checked at run time with every message.
    @exclusivity(unchecked) private var atHand = AtHand()
    private let buffer: DeliveryBuffer

    init(_ consumer: Consumer) {
        self.consumer = consumer
        buffer = consumer.buffer
    }

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
        if !buffer.holds(atHand.epoch) || Task.isCancelled { try stop() }
        guard let source = atHand.source else { return nil }
        return try pop(source)
    }

    @inline(__always)
    private func pop(_ source: Source) throws(AMQPError) -> IncomingMessage? {
        do throws(AMQPError) {
            return try source.run.popFirst(source.decoder)
        } catch {
            // What the broker sent is no AMQP: the connection can't go on.
            source.run.source?.session.link.onQueue { $0.end(error) }
            throw error
        }
    }

    /// Waits for the next message, when none is at hand.
    @usableFromInline
    func nextOfNextRun() async throws -> IncomingMessage? {
        do {
            let emptied = putDown()
            var awaited: DeliverySource?
            defer { awaited?.awaiting.subtract(1, ordering: .relaxed) }
            let taken = try await buffer.take(returning: emptied) {
                awaited?.awaiting.subtract(1, ordering: .relaxed)
                awaited = settleBeforeWaiting()
            }
            guard let (run, epoch) = taken else { return nil }
            let origin = run.source ?? consumer.source
            let shelf = origin.session.link.decoders
            let source = Source(run: run, decoder: shelf.take(), shelf: shelf)
            atHand = AtHand(source: source, epoch: epoch)
            let message = try pop(source)
            // Mostly that answers it, so that what is left in the end goes back at once.
            if let question = origin.question, let message { question.consider(message) }
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
    ///   - messages: What was taken before, and is not seen before this returns.
    /// - Returns: Whether ``next()`` need not wait.
    func isReady(before deadline: UInt64, holding messages: [IncomingMessage]) async -> Bool {
        if let source = atHand.source, !source.run.isEmpty { return true }
        if !consumer.noAck { consumer.source.session.settleNow() }
        return await buffer.isReady(before: deadline, holding: messages)
    }

    /// Has the broker told what is acknowledged, and from now on at once what is: it may wait for that before it delivers more.
    private func settleBeforeWaiting() -> DeliverySource? {
        guard !consumer.noAck else { return nil }
        let source = consumer.source
        source.awaiting.add(1, ordering: .relaxed)
        // While messages come fast, what is acknowledged by the next read is told together, or what has gathered when
        // they come slower.
        if !source.session.leavesToNextRead { source.session.settleNow() }
        return source
    }

    private func stop() throws(CancellationError) {
        giveBack()
        guard Task.isCancelled else { return }
        consumer.cancelInBackground()
        throw CancellationError()
    }

    /// Puts the decoder back on its shelf.
    ///
    /// - Returns: The run.
    private func putDown() -> DeliveryRun? {
        guard let source = atHand.source else { return nil }
        atHand.source = nil
        source.shelf.put(source.decoder)
        return source.run
    }

    private func giveBack() {
        guard let run = putDown() else { return }
        buffer.release(run)
        consumer.giveBack([run])
    }
}
