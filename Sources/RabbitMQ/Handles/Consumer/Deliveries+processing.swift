internal import Logging

extension Deliveries {
    /// Runs `body` for each message, several at a time, and settles each by how it ends: acknowledged when it returns, as
    /// `policy` says when it throws, which is logged.
    ///
    /// ```swift
    /// try await channel.setQos(prefetchCount: 20)
    /// try await queue.consume().process(maxConcurrency: 10) { message in
    ///     try await handle(message)
    /// }
    /// ```
    ///
    /// A message is taken only when its call can begin: limit by the channel's prefetch what waits here
    /// (``Channel/setQos(prefetchSize:prefetchCount:global:)``). It returns when the consumer was cancelled with
    /// ``Consumer/cancel()`` and throws for every other end, always after the calls that run have returned. When the task is
    /// cancelled, these are too, and the messages of those that throw go back to the queue.
    ///
    /// - Parameters:
    ///   - maxConcurrency: How many calls may run at a time, at least 1. Messages come in order only with 1.
    ///   - policy: What becomes of a message when `body` throws; by default it is delivered again once, then
    ///     dead-lettered.
    ///   - body: What to do with a message.
    /// - Throws: ``AMQPError/Code/invalidArgument``; why no more messages come, as iterating does; `CancellationError`.
    public func process(
        maxConcurrency: Int,
        onFailure policy: FailurePolicy = .requeueOnce,
        _ body: @escaping @Sendable (IncomingMessage) async throws -> Void
    ) async throws {
        try Queue.checkConcurrency(maxConcurrency)
        try await consumer.forEachMessage(limit: maxConcurrency) { message in
            await consumer.process(message, policy, body)
        }
        try Task.checkCancellation()
    }
}

extension DecodedDeliveries {
    /// Runs `body` with the value of each message, several at a time, and settles each by how it ends: as
    /// ``Deliveries/process(maxConcurrency:onFailure:_:)`` does.
    ///
    /// - Parameters:
    ///   - maxConcurrency: How many calls may run at a time, at least 1. Messages come in order only with 1.
    ///   - policy: What becomes of a message when `body` throws; by default it is delivered again once, then
    ///     dead-lettered.
    ///   - body: What to do with a value.
    /// - Throws: What that throws; what the policy for messages that don't decode throws, which ends it.
    public func process(
        maxConcurrency: Int,
        onFailure policy: FailurePolicy = .requeueOnce,
        _ body: @escaping @Sendable (Value) async throws -> Void
    ) async throws where Value: Sendable {
        try Queue.checkConcurrency(maxConcurrency)
        let consumer = deliveries.consumer
        try await consumer.forEachMessage(limit: maxConcurrency) { [decoder, policyOfBodies = self.policy] message in
            let value: Value
            do throws(AMQPError) {
                value = try message.decode(using: decoder)
            } catch {
                return try await policyOfBodies.apply(to: message, error)
            }
            await consumer.process(message, policy) { _ in try await body(value) }
        }
        try Task.checkCancellation()
    }
}

extension Consumer {
    fileprivate func process(
        _ message: IncomingMessage,
        _ policy: FailurePolicy,
        _ body: (IncomingMessage) async throws -> Void
    ) async {
        var failure: (any Error)?
        do { try await message.observed(body) } catch { failure = error }
        settle(message, after: failure, policy)
    }

    /// Settles a message by how its handling ended, and logs if it was not processed.
    ///
    /// - Parameter failure: What its handler threw; nil if it returned.
    func settle(_ message: IncomingMessage, after failure: (any Error)?, _ policy: FailurePolicy) {
        if let failure {
            message.settleAfter(failure, policy, isOfEnd: isOfEnd(failure))
            return report(failure, of: message)
        }
        do { try message.acknowledgeUnlessSettled() } catch { report(error, of: message) }
    }

    /// Whether an error says that the processing was given up because it ends, and not that it failed.
    func isOfEnd(_ error: any Error) -> Bool {
        error is CancellationError && (Task.isCancelled || isCancelling || cancelled)
    }

    /// Logs why a message was not processed.
    func report(_ error: any Error, of message: IncomingMessage) {
        source.session.link.logger.log(
            level: error.tellsOfAnEnd || isOfEnd(error) || message.comesAgain ? .debug : .error,
            "a message was not processed",
            metadata: [
                LogKey.consumerTag: "\(tag.printable())", LogKey.error: "\(String(describing: error).printable())",
            ]
        )
    }
}
