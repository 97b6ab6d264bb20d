/// What becomes of a message whose processing failed: see ``IncomingMessage/process(onFailure:_:)``.
///
/// ```swift
/// try await message.process(onFailure: .decide { error, message in
///     error is TransientFailure && message.attempt < 5 ? .requeue : .deadLetter
/// }) { message in
///     try await handle(message)
/// }
/// ```
public struct FailurePolicy: Sendable {
    private let decide: @Sendable (any Error, IncomingMessage) -> Disposition

    private init(_ decide: @escaping @Sendable (any Error, IncomingMessage) -> Disposition) {
        self.decide = decide
    }

    /// The broker delivers it again, however often. A message that can never be processed comes for ever.
    public static let requeue = FailurePolicy { _, _ in .requeue }

    /// It goes to the queue's dead-letter exchange, or is dropped if there is none.
    public static let deadLetter = FailurePolicy { _, _ in .deadLetter }

    /// It is acknowledged all the same.
    public static let acknowledge = FailurePolicy { _, _ in .acknowledge }

    /// The broker delivers it again the first time; one that was delivered before is dead-lettered.
    ///
    /// RabbitMQ 4 marks messages as ``IncomingMessage/redelivered`` that come out of a dead-letter exchange: they are
    /// delivered again once all the same, as far as can be told. Nor do deliveries count that were given back unseen, where
    /// a quorum queue tells them apart (4.3 and later).
    public static let requeueOnce = FailurePolicy { _, message in
        message.isSecondTry(message.history) ? .deadLetter : .requeue
    }

    /// The broker delivers it again until it was tried `attempts` times; then it is dead-lettered.
    ///
    /// Only quorum queues count deliveries. From other queues a message that was delivered before is dead-lettered, as
    /// with ``requeueOnce``. Declare the queue with its type: where that isn't known, a count that a publisher put into a
    /// message may be taken for the queue's.
    ///
    /// - Parameter attempts: How often it is tried, as ``IncomingMessage/attempt`` counts.
    public static func requeue(attempts: Int) -> FailurePolicy {
        FailurePolicy { _, message in
            let history = message.history
            guard history.attempt < attempts else { return .deadLetter }
            if message.hasTrustworthyCount(history), history.count != nil { return .requeue }
            return message.isSecondTry(history) ? .deadLetter : .requeue
        }
    }

    /// It depends on the error and the message.
    ///
    /// - Parameter decide: Says what becomes of the message.
    public static func decide(
        _ decide: @escaping @Sendable (_ error: any Error, _ message: IncomingMessage) -> Disposition
    ) -> FailurePolicy {
        FailurePolicy(decide)
    }

    func disposition(of message: IncomingMessage, after error: any Error) -> Disposition { decide(error, message) }
}
