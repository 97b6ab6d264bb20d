extension Queue {
    /// Removes a binding of the queue, whoever made it. One that does not exist is no error.
    ///
    /// Of a binding that this program made, ``QueueBinding/unbind(arguments:)`` does the same.
    ///
    /// - Parameters:
    ///   - exchange: The name of the exchange that messages come from.
    ///   - routingKey: The routing key of the binding.
    ///   - arguments: The arguments of the binding.
    /// - Throws: ``AMQPError/Code/deleted`` if the queue was deleted, ``AMQPError/Code/invalidExchangeName`` for the default
    ///   exchange, before anything is sent; other ``AMQPError``s; `CancellationError`.
    public func unbind(
        from exchange: String,
        routingKey: String = "",
        arguments: BindingArguments = [:]
    ) async throws {
        try requireNotDeleted()
        try await channel.unbind(
            Topology.Binding(queue: name, to: exchange, routingKey: routingKey, arguments: arguments)
        )
    }
}

extension Exchange {
    /// Removes a binding of the exchange to another one, whoever made it. One that does not exist is no error.
    ///
    /// Of a binding that this program made, ``ExchangeBinding/unbind(noWait:arguments:)`` does the same.
    ///
    /// - Parameters:
    ///   - source: The name of the exchange that messages come from.
    ///   - routingKey: The routing key of the binding.
    ///   - arguments: The arguments of the binding.
    /// - Throws: ``AMQPError/Code/deleted`` if the exchange was deleted, ``AMQPError/Code/invalidExchangeName`` if one is the
    ///   default exchange, before anything is sent; other ``AMQPError``s; `CancellationError`.
    public func unbind(
        from source: String,
        routingKey: String = "",
        arguments: BindingArguments = [:]
    ) async throws {
        try requireNotDeleted()
        try requireNotDefault()
        let binding = Topology.Binding(exchange: name, to: source, routingKey: routingKey, arguments: arguments)
        try await channel.unbind(binding)
    }
}

extension Channel {
    /// - Parameter named: What to remove, by the names that its ends have at present: a queue that the broker named may get
    ///   another name while this waits for the connection.
    fileprivate func unbind(_ named: @autoclosure () -> Topology.Binding) async throws {
        try exchange(named().source).requireNotDefault()
        try await request(named().unbind(noWait: false), noWait: false)
        connection.topology.remove(named())
    }
}
