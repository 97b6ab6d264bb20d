extension Queue {
    /// Publishes a message to this queue, through the default exchange, which routes by the queue's name.
    ///
    /// ```swift
    /// let jobs = try await channel.declareQueue("jobs")
    /// try await jobs.publish(Message("x", deliveryMode: .persistent))
    /// ```
    ///
    /// - Parameters:
    ///   - message: What to publish.
    ///   - mandatory: Whether the broker returns it if the queue is gone.
    /// - Returns: On a confirming channel, the message's outcome to wait for.
    /// - Throws: ``AMQPError/Code/deleted`` if the queue was deleted through this handle; what
    ///   ``Exchange/publish(_:routingKey:mandatory:)`` throws.
    @discardableResult
    public func publish(_ message: Message, mandatory: Bool = true) async throws -> PublishReceipt {
        try requireNotDeleted()
        return try await defaultExchange.publish(message, routingKey: name, mandatory: mandatory)
    }

    /// Publishes a message to this queue and waits until the broker has confirmed it.
    ///
    /// - Parameters:
    ///   - message: What to publish.
    ///   - timeout: How long to wait for the broker's word; the configuration's `callTimeout` by default.
    /// - Throws: ``AMQPError/Code/deleted`` if the queue was deleted through this handle; what
    ///   ``Exchange/publishConfirmed(_:routingKey:mandatory:timeout:)`` throws.
    public func publishConfirmed(_ message: Message, timeout: Duration? = nil) async throws {
        try requireNotDeleted()
        try await defaultExchange.publishConfirmed(message, routingKey: name, timeout: timeout)
    }
}
