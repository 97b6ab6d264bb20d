internal import Synchronization

extension Channel {
    /// Has the broker confirm every message that is published on this channel from now on.
    ///
    /// ``Exchange/publish(_:routingKey:mandatory:)`` then gives a ``PublishReceipt`` to wait for. Selecting again changes
    /// nothing. RabbitMQ: [Publisher confirms](https://www.rabbitmq.com/docs/confirms#publisher-confirms).
    ///
    /// - Parameter maxUnconfirmed: The most messages that may be unconfirmed, at least 1; publishing waits while there
    ///   are so many, for the configuration's `publishTimeout` at the most. A mandatory message is kept with its body
    ///   until it is confirmed, to recognize it if it comes back: with large bodies, allow fewer.
    /// - Throws: ``AMQPError/Code/preconditionFailed`` if the channel is transactional, which closes it; other
    ///   ``AMQPError``s; `CancellationError`.
    public func confirmSelect(maxUnconfirmed: Int = 1000) async throws {
        guard maxUnconfirmed > 0 else {
            throw AMQPError(.invalidArgument, "maxUnconfirmed is \(maxUnconfirmed); 1 is the least")
        }
        try await session.selectConfirms(limit: maxUnconfirmed)
    }

    /// Waits until every message published so far has its outcome.
    ///
    /// - Parameter timeout: How long to wait, for all of them together; the configuration's `callTimeout` by default.
    /// - Throws: The first failure among those that had no outcome yet: see ``PublishReceipt/confirmed(timeout:)``.
    ///   All have been waited for then, unless the task was cancelled.
    public func waitForConfirms(timeout: Duration? = nil) async throws {
        let start = MonotonicTime.now
        var firstFailure: AMQPError?
        session.outbox.expedite()
        for confirmation in session.unconfirmed {
            do {
                try await confirmation.wait(timeout: timeout, since: start)
            } catch let error as AMQPError {
                firstFailure = firstFailure ?? error
            }
        }
        if let firstFailure { throw firstFailure }
    }

    /// How many messages the broker has not confirmed yet; 0 on a channel that doesn't confirm.
    public var unconfirmedCount: Int { session.unconfirmed.count }

    /// The mandatory messages that come back because they reached no queue, as they come.
    ///
    /// While somebody iterates over them, or a handler is set (``setReturnHandler(_:)``), none is logged.
    public var returnedMessages: ReturnedMessages { session.returns.subscribe() }
}

extension Exchange {
    /// Publishes a message and waits until the broker has confirmed it.
    ///
    /// - Parameters:
    ///   - message: What to publish.
    ///   - routingKey: By what the exchange routes it; at most 255 bytes of UTF-8.
    ///   - mandatory: Whether it is a failure if it reaches no queue.
    ///   - timeout: How long to wait for the broker's word; the configuration's `callTimeout` by default.
    /// - Throws: What ``publish(_:routingKey:mandatory:)`` and ``PublishReceipt/confirmed(timeout:)`` throw.
    public func publishConfirmed(
        _ message: Message,
        routingKey: String,
        mandatory: Bool = true,
        timeout: Duration? = nil
    ) async throws {
        try await publish(message, routingKey: routingKey, mandatory: mandatory).confirmed(timeout: timeout)
    }

    /// Publishes messages, in order.
    ///
    /// - Parameters:
    ///   - messages: What to publish.
    ///   - routingKey: By what the exchange routes them; at most 255 bytes of UTF-8.
    ///   - mandatory: Whether the broker returns those that reach no queue.
    /// - Returns: A receipt for each, in order; on a confirming channel their outcomes can be waited for.
    /// - Throws: What ``publish(_:routingKey:mandatory:)`` throws for the first message that can't be sent. Those before
    ///   it were: ``publish(contentsOf:routingKey:mandatory:receipts:)`` has their receipts then.
    @discardableResult
    public func publish(
        contentsOf messages: some Sequence<Message>,
        routingKey: String,
        mandatory: Bool = true
    ) async throws -> [PublishReceipt] {
        var receipts: [PublishReceipt] = []
        try await publish(contentsOf: messages, routingKey: routingKey, mandatory: mandatory, receipts: &receipts)
        return receipts
    }

    /// Publishes messages, in order, and tells how far that went.
    ///
    /// - Parameters:
    ///   - messages: What to publish.
    ///   - routingKey: By what the exchange routes them; at most 255 bytes of UTF-8.
    ///   - mandatory: Whether the broker returns those that reach no queue.
    ///   - receipts: Gets a receipt for each message that was published, in order, also when this throws.
    /// - Throws: What ``publish(_:routingKey:mandatory:)`` throws for the first message that can't be sent; those before
    ///   it were, and no other.
    public func publish(
        contentsOf messages: some Sequence<Message>,
        routingKey: String,
        mandatory: Bool = true,
        receipts: inout [PublishReceipt]
    ) async throws {
        for message in messages {
            receipts.append(try await publish(message, routingKey: routingKey, mandatory: mandatory))
        }
    }
}

extension ChannelSession {
    /// The messages that the broker has not confirmed, in order.
    var unconfirmed: [PendingConfirm] { state.withLock { $0.confirms?.pending ?? [] } }
}
