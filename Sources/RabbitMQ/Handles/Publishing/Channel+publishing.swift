internal import Synchronization

extension Channel {
    /// Has the broker confirm every message that is published on this channel from now on.
    ///
    /// ``Exchange/publish(_:routingKey:mandatory:)`` then gives a ``PublishReceipt`` to wait for. Selecting again changes
    /// nothing. RabbitMQ: [Publisher confirms](https://www.rabbitmq.com/docs/confirms#publisher-confirms).
    ///
    /// - Parameter maxUnconfirmed: The most messages that may be unconfirmed, at least 1; publishing waits while there
    ///   are so many, for the configuration's `publishTimeout` at the most. A mandatory message is kept with its body
    ///   until it is confirmed, to recognize it if it comes back, and with ``RecoveryPolicy/Unconfirmed/resend`` every
    ///   message is: with large bodies, allow fewer.
    /// - Throws: ``AMQPError/Code/invalidArgument`` if `maxUnconfirmed` is less than 1;
    ///   ``AMQPError/Code/preconditionFailed`` if the channel is transactional, which closes it; other
    ///   ``AMQPError``s; `CancellationError`.
    public func selectConfirms(maxUnconfirmed: Int = 1000) async throws {
        guard maxUnconfirmed > 0 else {
            throw AMQPError(.invalidArgument, "maxUnconfirmed is \(maxUnconfirmed); 1 is the least")
        }
        try await core.selectConfirms(limit: maxUnconfirmed)
    }

    /// Waits until every message published so far has its outcome.
    ///
    /// - Parameter timeout: How long to wait, for all of them together; the configuration's `callTimeout` by default.
    /// - Throws: The first failure among those that had no outcome yet: see ``PublishReceipt/confirmed(timeout:)``.
    ///   All have been waited for then, unless the task was cancelled.
    public func waitForConfirms(timeout: Duration? = nil) async throws {
        let start = MonotonicTime.now
        var firstFailure: AMQPError?
        core.port.outbox.expedite()
        for confirmation in core.unconfirmed {
            do {
                try await confirmation.wait(timeout: timeout, since: start)
            } catch let error as AMQPError {
                firstFailure = firstFailure ?? error
            }
        }
        if let firstFailure { throw firstFailure }
    }

    /// How many messages the broker has not confirmed yet; 0 on a channel that doesn't confirm.
    public var unconfirmedCount: Int { core.unconfirmed.count }

    /// The mandatory messages that come back because they reached no queue, as they come.
    ///
    /// While somebody iterates over them, or a handler is set (``setReturnHandler(_:)``), none is logged.
    public var returnedMessages: ReturnedMessages { core.returns.subscribe() }
}
