extension Exchange {
    /// Publishes a message.
    ///
    /// Returns when the message is handed over to be sent, in the order of the calls. Waits only while the connection is made
    /// again, the broker takes no messages or has not answered the channel's commit, or too much is unconfirmed or waits to
    /// be sent already: see ``ConnectionConfiguration/publishTimeout``. AMQP 0-9-1, section 1.8.3.7.
    ///
    /// It is sent a moment later: if the process ends before, it is lost. ``Connection/close()`` sends everything,
    /// ``Connection/flush(timeout:)`` waits until the operating system has it, and a confirm says that the broker has it.
    ///
    /// - Parameters:
    ///   - message: What to publish.
    ///   - routingKey: By what the exchange routes it; at most 255 bytes of UTF-8. With the default exchange, the name of
    ///     the queue.
    ///   - mandatory: Whether the broker returns it if it reaches no queue: see ``Channel/setReturnHandler(_:)``. True by
    ///     default, but false on an exchange of type ``ExchangeType/delayedMessage``, which routes later and would return
    ///     every message.
    /// - Returns: On a confirming channel (``Channel/selectConfirms(maxUnconfirmed:)``), the message's outcome to wait for.
    /// - Throws: ``AMQPError/Code/invalidMessage`` or ``AMQPError/Code/invalidArgument`` for what can't be sent;
    ///   ``AMQPError/Code/deleted`` after ``delete(ifUnused:noWait:)``; ``AMQPError/Code/blockedTooLong`` after waiting for
    ///   the configuration's `publishTimeout`; the reason, if channel or connection are gone; `CancellationError`, in which
    ///   case nothing was sent: of messages that are published in a row, some may still be sent after the task was
    ///   cancelled, but never more than are written together.
    @inlinable
    @discardableResult
    public func publish(_ message: Message, routingKey: String, mandatory: Bool? = nil) async throws -> PublishReceipt {
        // Mostly there is nothing to wait for: in the caller's module, that costs no asynchronous call.
        if let receipt = try publishAtOnce(message, routingKey: routingKey, mandatory: mandatory) { return receipt }
        return try await publishWaiting(message, routingKey: routingKey, mandatory: mandatory)
    }

    @usableFromInline
    func publishAtOnce(_ message: borrowing Message, routingKey: String, mandatory: Bool?) throws -> PublishReceipt? {
        try requireNotDeleted()
        return try port.publishAtOnce(
            message,
            exchange: name,
            routingKey: routingKey,
            mandatory: mandatory ?? isMandatoryByDefault
        )
    }

    @usableFromInline
    func publishWaiting(_ message: Message, routingKey: String, mandatory: Bool?) async throws -> PublishReceipt {
        try Task.checkCancellation()
        return try await channel.core.publish(
            Publish(
                message: message,
                exchange: name,
                routingKey: routingKey,
                mandatory: mandatory ?? isMandatoryByDefault
            )
        )
    }

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
        mandatory: Bool? = nil,
        timeout: Duration? = nil
    ) async throws {
        guard let durationRecorder else {
            return try await publish(message, routingKey: routingKey, mandatory: mandatory).confirmed(timeout: timeout)
        }
        try await durationRecorder.timing {
            try await publish(message, routingKey: routingKey, mandatory: mandatory).confirmed(timeout: timeout)
        }
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
        mandatory: Bool? = nil
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
        mandatory: Bool? = nil,
        receipts: inout [PublishReceipt]
    ) async throws {
        for message in messages {
            receipts.append(try await publish(message, routingKey: routingKey, mandatory: mandatory))
        }
    }
}
