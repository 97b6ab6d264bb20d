extension IncomingMessage {
    /// Runs `body` and settles the message by how it ends: acknowledged when it returns, as `policy` says when it
    /// throws.
    ///
    /// ```swift
    /// for try await message in try await queue.consume() {
    ///     try? await message.process(onFailure: .deadLetter) { message in
    ///         try await handle(message)
    ///     }
    /// }
    /// ```
    ///
    /// When the task is cancelled, the message goes back to its queue whatever the policy; from RabbitMQ 4.3 on that doesn't
    /// count towards a quorum queue's delivery limit, as failures do. A `CancellationError` of something else that `body`
    /// waits for is a failure like any other. If `body` has settled it by itself, nothing more is sent. A message without
    /// acknowledgement (`noAck`) is only given to `body`.
    ///
    /// - Parameters:
    ///   - policy: What becomes of the message when `body` throws; by default it is delivered again once, then
    ///     dead-lettered.
    ///   - body: What to do with the message.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws; ``AMQPError/Code/staleDelivery`` if it returned but the channel is gone, so that the
    ///   broker will deliver the message again.
    @discardableResult
    public func process<Result>(
        onFailure policy: FailurePolicy = .requeueOnce,
        _ body: (IncomingMessage) async throws -> Result
    ) async throws -> Result {
        let result: Result
        do {
            result = try await observedOnce(body)
        } catch {
            settleAfter(error, policy)
            throw error
        }
        try acknowledgeUnlessSettled()
        return result
    }

    /// Settles it, unless that was done, after its processing failed.
    ///
    /// - Parameter isOfEnd: Whether it failed only because its consumer ends.
    func settleAfter(_ error: any Error, _ policy: FailurePolicy, isOfEnd: Bool = false) {
        // With its channel it has gone back by itself, unless it was settled before.
        if isStale { return }
        // Not by the error alone: a message whose handler always throws `CancellationError`, because what it waits for was
        // cancelled, would come again at once, for ever, and count nowhere.
        if Task.isCancelled || isOfEnd {
            giveBack()
        } else {
            try? settle(policy.disposition(of: self, after: error))
        }
    }

    /// Acknowledges it after its processing, unless that has settled it.
    func acknowledgeUnlessSettled() throws(AMQPError) {
        // Settled by the body while its channel was there, which is gone now: that is no loss.
        if isStale, !comesAgain { return }
        do {
            try ack()
        } catch {
            // Settled by the body, or never to be settled.
            guard error.code == .alreadySettled else { throw error }
        }
    }
}
