internal import Logging

extension Partitions {
    /// Consumes all partitions until the task is cancelled, each in order, and settles each message by how the handler ends.
    ///
    /// Any number of processes may do so: of each queue the broker gives the messages to one of them, and to the next when that is
    /// gone. Each partition has a channel of its own, and one handler at a time.
    ///
    /// When the handler throws, it is given the same message again after a while, and the others of the partition wait: so they
    /// stay in order, whatever `prefetchCount` is. Those of other partitions go on. A message whose body does not decode
    /// (``RetryPolicy/isOfDecoding(_:)``), or that the handler has settled by itself, is not given to it again. What is given
    /// again here does not count in ``IncomingMessage/attempt``, and is lost from sight with the process: the broker then
    /// delivers the message to the next worker.
    ///
    /// - Parameters:
    ///   - connection: The connection to consume on.
    ///   - prefetchCount: How many messages of each partition may be on their way, at least 1; 100 by default.
    ///   - attempts: How often a message is given to the handler until `policy` has its say, at least 1; 5 by default.
    ///   - delay: How long the partition waits after the first failure, from a millisecond on, and twice as long after each
    ///     other one, up to 30 s or this; 1 s by default.
    ///   - policy: What becomes of a message with which the handler has failed so often; by default it goes to the queue's
    ///     dead-letter exchange, and is dropped where there is none (``QueueArguments/deadLetterExchange``). One that the broker
    ///     delivers again is overtaken by those that are on their way by then: none with a `prefetchCount` of 1.
    ///   - handler: What to do with a message of the partition with this number.
    /// - Throws: ``AMQPError/Code/invalidArgument``; what ``Queue/consume(_:)`` throws; why no more messages come from one of the
    ///   partitions, which ends the others and cancels their handlers; `CancellationError`.
    public func process(
        on connection: Connection,
        prefetchCount: UInt16 = 100,
        attempts: Int = 5,
        delay: Duration = .seconds(1),
        onFailure policy: FailurePolicy = .deadLetter,
        _ handler: @escaping @Sendable (_ message: IncomingMessage, _ partition: Int) async throws -> Void
    ) async throws {
        guard prefetchCount > 0 else {
            throw AMQPError(.invalidArgument, "prefetchCount is 0, where all of a partition would be on its way")
        }
        let tries = try PartitionTries(attempts: attempts, delay: delay)
        let outer = HandlingTask.current
        try await withThrowingTaskGroup(of: Void.self) { group in
            for partition in 0..<count {
                group.addTask {
                    try await connection.withChannel { channel in
                        // One of many that begin may be on its way when the connection is lost, which is no reason to end.
                        let deliveries = try await connection.core.repeating {
                            try await channel.setQos(prefetchCount: prefetchCount)
                            return try await channel.queue(queueName(partition)).consume()
                        }
                        // Its last use would cancel the consumer.
                        defer { withExtendedLifetime(deliveries) {} }
                        let consumer = deliveries.consumer
                        try await consumer.forEachMessage(limit: 1, within: outer) { message in
                            await tries.settle(message, of: consumer, policy) { message in
                                try await handler(message, partition)
                            }
                        }
                        try Task.checkCancellation()
                    }
                }
            }
            // The first that ends with an error ends the others: leaving the group so cancels them, where `waitForAll` would
            // wait for them first, and they go on for ever.
            while try await group.next() != nil {}
        }
    }
}

/// How often a handler is given a message while the others of its partition wait, and after which delays. A value.
struct PartitionTries: Sendable {
    /// Has the number and the delays; nothing else of it is used.
    private let policy: RetryPolicy

    /// The longest delay, unless the first one is longer.
    private static let longestDelay = Duration.seconds(30)

    init(attempts: Int, delay: Duration) throws(AMQPError) {
        policy = RetryPolicy(attempts: attempts, delay: delay, maxDelay: max(delay, Self.longestDelay))
        try policy.validate()
    }

    /// Has a message handled, and settles it. When this returns, the next one of the partition may come.
    func settle(
        _ message: IncomingMessage,
        of consumer: Consumer,
        _ onFailure: FailurePolicy,
        _ handler: (IncomingMessage) async throws -> Void
    ) async {
        var failure: (any Error)?
        do { try await handle(message, of: consumer, handler) } catch { failure = error }
        consumer.settle(message, after: failure, onFailure)
    }

    private func handle(
        _ message: IncomingMessage,
        of consumer: Consumer,
        _ handler: (IncomingMessage) async throws -> Void
    ) async throws {
        var failures = 0
        while true {
            do {
                return try await message.observed(handler)
            } catch {
                failures += 1
                guard failures < policy.attempts, isPassing(error), message.isUnsettled else { throw error }
                let delay = Duration.milliseconds(policy.milliseconds(afterFailure: failures))
                message.source.session.link.logger.warning(
                    "a message was not processed, and its partition waits until it is tried again",
                    metadata: [
                        LogKey.queue: "\(message.source.queue.printable())", LogKey.attempt: "\(failures)",
                        LogKey.error: "\(String(describing: error).printable())", LogKey.nextTryIn: "\(delay)",
                    ]
                )
                // Whoever ends the consumer does not wait for the handler to succeed: the message goes back.
                if try await consumer.ends(within: delay) { throw CancellationError() }
                // With its channel it has gone back, and comes again.
                guard message.isUnsettled else { throw error }
            }
        }
    }

    private func isPassing(_ error: any Error) -> Bool {
        !Task.isCancelled && !RetryPolicy.isOfDecoding(error)
    }
}
