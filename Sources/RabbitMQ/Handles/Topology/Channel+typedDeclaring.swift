extension Channel {
    /// Declares a queue with typed arguments: makes it, unless it exists.
    ///
    /// ```swift
    /// let orders = try await channel.declareQueue("orders", arguments: QueueArguments(type: .quorum, deliveryLimit: 5))
    /// ```
    ///
    /// - Parameters:
    ///   - name: Letters, digits, `_`, `-`, `.`, `:`, `*`; empty to have the broker make one up.
    ///   - durable: Whether it survives a restart of the broker.
    ///   - exclusive: Whether only this connection can use it. It is deleted with the connection.
    ///   - autoDelete: Whether it is deleted when its last consumer is gone.
    ///   - passive: Whether it is only to be looked up: a missing one is an error.
    ///   - noWait: Whether not to wait for the broker. An error then closes the channel later.
    ///   - arguments: What kind of queue it is, its limits and so on.
    /// - Throws: ``AMQPError/Code/invalidArgument`` for arguments that can't work, or not together with the flags,
    ///   before anything is sent; what declaring with a table throws.
    @discardableResult
    public func declareQueue(
        _ name: String = "",
        durable: Bool = true,
        exclusive: Bool = false,
        autoDelete: Bool = false,
        passive: Bool = false,
        noWait: Bool = false,
        arguments: QueueArguments
    ) async throws -> Queue {
        try arguments.validate(
            QueueFlags(name: name, durable: durable, exclusive: exclusive, autoDelete: autoDelete)
        )
        return try await declareQueue(
            name,
            durable: durable,
            exclusive: exclusive,
            autoDelete: autoDelete,
            passive: passive,
            noWait: noWait,
            arguments: arguments.table
        )
    }

    /// Declares an exchange with typed arguments: makes it, unless it exists.
    ///
    /// - Parameters:
    ///   - name: Letters, digits, `_`, `-`, `.`, `:`.
    ///   - type: How it routes.
    ///   - durable: Whether it survives a restart of the broker.
    ///   - autoDelete: Whether it is deleted when the last queue is unbound from it.
    ///   - internal: Whether it can't be published to, only be bound to other exchanges.
    ///   - passive: Whether it is only to be looked up: a missing one is an error.
    ///   - noWait: Whether not to wait for the broker. An error then closes the channel later.
    ///   - arguments: Where unroutable messages go, and so on.
    /// - Throws: ``AMQPError/Code/invalidArgument`` for arguments that can't work, before anything is sent; what
    ///   declaring with a table throws.
    @discardableResult
    public func declareExchange(
        _ name: String,
        type: ExchangeType = .direct,
        durable: Bool = true,
        autoDelete: Bool = false,
        internal: Bool = false,
        passive: Bool = false,
        noWait: Bool = false,
        arguments: ExchangeArguments
    ) async throws -> Exchange {
        try arguments.validate(name, type: type)
        return try await declareExchange(
            name,
            type: type,
            durable: durable,
            autoDelete: autoDelete,
            internal: `internal`,
            passive: passive,
            noWait: noWait,
            arguments: arguments.table
        )
    }
}
