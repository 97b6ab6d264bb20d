/// A queue's binding to an exchange. Made by ``Queue/bind(to:routingKey:noWait:arguments:)-(Exchange,_,_,_)``.
public final class QueueBinding: Sendable {
    /// The queue that gets messages.
    public let queue: Queue

    /// The exchange they come from.
    public let exchange: Exchange

    private let made: MadeBinding

    fileprivate init(queue: Queue, exchange: Exchange, _ made: MadeBinding) {
        self.queue = queue
        self.exchange = exchange
        self.made = made
    }

    /// The routing key of the binding.
    public var routingKey: String { made.binding.routingKey }

    /// The arguments of the binding.
    public var arguments: BindingArguments { made.binding.arguments }

    /// Removes the binding (AMQP 0-9-1, section 1.7.2.5).
    ///
    /// - Parameter arguments: The arguments that name the binding to the broker; those it was made with by default.
    /// - Throws: ``AMQPError/Code/deleted`` the second time, or if the queue was deleted; other ``AMQPError``s;
    ///   `CancellationError`.
    public func unbind(arguments: BindingArguments? = nil) async throws {
        try made.requireNotRemoved()
        try queue.requireNotDeleted()
        try await made.remove(from: .queue(queue.name), arguments: arguments)
    }
}

extension Queue {
    /// Binds the queue to an exchange: what is published there reaches the queue if the routing key matches.
    ///
    /// AMQP 0-9-1, section 1.7.2.3.
    ///
    /// - Parameters:
    ///   - exchange: Where messages are published.
    ///   - routingKey: What the exchange compares with messages' routing keys, which a headers exchange does not; at most
    ///     255 bytes of UTF-8.
    ///   - noWait: Whether not to wait for the broker. An error then closes the channel later.
    ///   - arguments: Which headers a message must have, for instance: typed, or as a dictionary literal.
    /// - Returns: The binding, with which it can be removed.
    /// - Throws: ``AMQPError/Code/deleted`` if queue or exchange were deleted, ``AMQPError/Code/invalidExchangeName``
    ///   for the default exchange and ``AMQPError/Code/invalidArgument`` for arguments that can't work, all before anything
    ///   is sent; ``AMQPError/Code/notFound`` if there is no such exchange, which closes the channel; other
    ///   ``AMQPError``s; `CancellationError`.
    @discardableResult
    public func bind(
        to exchange: Exchange,
        routingKey: String = "",
        noWait: Bool = false,
        arguments: BindingArguments = [:]
    ) async throws -> QueueBinding {
        try requireNotDeleted()
        let made = try await MadeBinding.make(
            Topology.Binding(queue: name, to: exchange.name, routingKey: routingKey, arguments: arguments),
            from: exchange,
            on: channel,
            noWait: noWait
        )
        return QueueBinding(queue: self, exchange: exchange, made)
    }

    /// Binds the queue to an exchange by its name: as ``bind(to:routingKey:noWait:arguments:)-(Exchange,_,_,_)`` does with
    /// its handle.
    ///
    /// - Throws: What that throws; ``AMQPError/Code/invalidExchangeName`` for a name that no exchange can have.
    @discardableResult
    public func bind(
        to exchange: String,
        routingKey: String = "",
        noWait: Bool = false,
        arguments: BindingArguments = [:]
    ) async throws -> QueueBinding {
        try await bind(to: channel.exchange(exchange), routingKey: routingKey, noWait: noWait, arguments: arguments)
    }
}
