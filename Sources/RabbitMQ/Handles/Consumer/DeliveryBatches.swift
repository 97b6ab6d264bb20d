/// The messages of a consumer in arrays: see ``Deliveries/batches(count:within:)``.
public struct DeliveryBatches: AsyncSequence, Sendable {
    /// The sequence that they are taken from.
    public let deliveries: Deliveries
    /// The most messages in an array.
    let count: Int
    /// How long an array's first message waits for the others, at the most.
    let duration: Duration

    /// Makes an iterator. Of several, each message goes to one.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(cursor: DeliveryCursor(deliveries.consumer), sequence: self)
    }

    /// Takes one array after the other.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let cursor: DeliveryCursor
        let sequence: DeliveryBatches

        /// Waits for the next messages.
        ///
        /// - Returns: At least one message, or nil once the consumer was cancelled with ``Consumer/cancel()``.
        /// - Throws: `CancellationError`, or an ``AMQPError`` that says why no more messages come.
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws -> [IncomingMessage]? {
            while let first = try await cursor.next() {
                let batch = try await gather(behind: first)
                // The broker delivers again what a session that has ended leaves behind.
                guard let batch, batch.contains(where: \.isStale) else { return batch }
                let fresh = batch.filter { !$0.isStale }
                if !fresh.isEmpty { return fresh }
            }
            return nil
        }

        private mutating func gather(behind first: IncomingMessage) async throws -> [IncomingMessage]? {
            let deadline = MonotonicTime.now &+ sequence.duration.nanoseconds
            var messages = [first]
            do {
                while messages.count < sequence.count, await cursor.isReady(before: deadline, holding: messages) {
                    guard let message = try await cursor.next() else { return give(messages) }
                    messages.append(message)
                }
                // Those without acknowledgement exist only here.
                if sequence.deliveries.consumer.noAck { return messages }
                if let given = give(messages) { return given }
                // It has just ended, and says why.
                _ = try await cursor.next()
                return nil
            } catch {
                // The next call throws it again, unless what has come can't be settled any more.
                guard let given = give(messages) else { throw error }
                return given
            }
        }

        /// Waits for the next messages.
        ///
        /// - Returns: At least one message, or nil once the consumer was cancelled with ``Consumer/cancel()``.
        /// - Throws: `CancellationError`, or an ``AMQPError`` that says why no more messages come.
        public mutating func next() async throws -> [IncomingMessage]? { try await next(isolation: #isolation) }

        /// What has come when the end is reached: if it is not to be seen any more, it goes back to its queue.
        private func give(_ batch: [IncomingMessage]) -> [IncomingMessage]? {
            let consumer = sequence.deliveries.consumer
            guard consumer.buffer.isCutOff else { return batch }
            for message in batch { consumer.giveBack(message) }
            return nil
        }
    }
}

extension Deliveries {
    /// The messages in arrays of up to `count`; a smaller one comes when its first message has waited for `duration`.
    ///
    /// ```swift
    /// for try await batch in try await queue.consume().batches(count: 100, within: .seconds(1)) {
    ///     try await database.insert(batch.map { try $0.decode(Row.self) })
    ///     try batch.ack()
    /// }
    /// ```
    ///
    /// A prefetch limit below `count` limits the arrays. The end is that of the messages themselves.
    ///
    /// - Parameters:
    ///   - count: The most messages in an array, at least 1; fewer count as 1.
    ///   - duration: How long an array's first message waits for the others, at the most.
    /// - Returns: The arrays, none of them empty.
    public func batches(count: Int, within duration: Duration) -> DeliveryBatches {
        DeliveryBatches(deliveries: self, count: Swift.max(1, count), duration: duration)
    }
}

extension Sequence<IncomingMessage> {
    /// Acknowledges all of them, and nothing else.
    ///
    /// Where they follow one another, and all before them are settled, one acknowledgement with `multiple` goes out.
    ///
    /// - Throws: The first error that ``IncomingMessage/ack(multiple:)`` gave; the others are acknowledged all the same.
    public func ack() throws(AMQPError) { try settle(.acknowledge) }

    /// Rejects all of them.
    ///
    /// - Parameter requeue: Whether the broker is to deliver them again.
    /// - Throws: The first error that ``IncomingMessage/reject(requeue:)`` gave; the others are rejected all the same.
    public func reject(requeue: Bool = true) throws(AMQPError) { try settle(requeue ? .requeue : .deadLetter) }

    /// Settles all of them in one of the three ways.
    ///
    /// - Parameter disposition: What becomes of them.
    /// - Throws: The first error that ``IncomingMessage/settle(_:)`` gave; the others are settled all the same.
    public func settle(_ disposition: Disposition) throws(AMQPError) {
        var failure: AMQPError?
        for message in self {
            do {
                try message.settle(disposition)
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
    }
}
