/// The messages of a consumer, to be iterated over once.
///
/// ```swift
/// for try await message in try await queue.consume() {
///     try await handle(message)
///     try message.ack()
/// }
/// ```
///
/// What has come and was not taken yet is bounded: by the channel's prefetch where there is one, and by pausing the
/// connection, at the configuration's `inboundHighWater`.
///
/// Leaving the loop, or cancelling the task, cancels the consumer and returns to the queue what was not taken yet; without
/// acknowledgement (`noAck`) that is lost: to see all that has come, cancel with ``Consumer/cancel()`` and go on. The
/// loop ends when the consumer is cancelled with ``Consumer/cancel()``, throws `CancellationError` when the task is
/// cancelled, and throws an ``AMQPError`` for any other end: ``AMQPError/Code/consumerCancelled`` when the broker
/// cancelled it, or the reason why the channel or the connection has gone.
public struct Deliveries: AsyncSequence, Sendable {
    /// The consumer behind it.
    public let consumer: Consumer
    private let lease: Lease

    /// Cancels a consumer over whose messages nobody ever iterated.
    private final class Lease: Sendable {
        let consumer: Consumer

        init(_ consumer: Consumer) { self.consumer = consumer }

        deinit { consumer.cancelInBackground() }
    }

    init(_ consumer: Consumer) {
        self.consumer = consumer
        lease = Lease(consumer)
    }

    /// Makes an iterator. Of several, each message goes to one.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(cursor: DeliveryCursor(consumer), sequence: self)
    }

    /// Takes one message after the other.
    public struct AsyncIterator: AsyncIteratorProtocol {
        @usableFromInline let cursor: DeliveryCursor
        let sequence: Deliveries

        /// Waits for the next message.
        ///
        /// - Returns: The message, or nil once the consumer was cancelled with ``Consumer/cancel()``.
        /// - Throws: `CancellationError`, or an ``AMQPError`` that says why no more messages come.
        @inlinable
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws -> IncomingMessage? {
            // Most need not be waited for: in the caller's module, that costs no asynchronous call.
            if let message = try cursor.nextAtHand() { return message }
            return try await cursor.nextOfNextRun()
        }

        /// Waits for the next message.
        ///
        /// - Returns: The message, or nil once the consumer was cancelled with ``Consumer/cancel()``.
        /// - Throws: `CancellationError`, or an ``AMQPError`` that says why no more messages come.
        @inlinable
        public mutating func next() async throws -> IncomingMessage? {
            if let message = try cursor.nextAtHand() { return message }
            return try await cursor.nextOfNextRun()
        }
    }
}
