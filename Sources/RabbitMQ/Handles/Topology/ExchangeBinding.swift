/// An exchange's binding to another exchange: what reaches the source, and matches, reaches the destination too.
///
/// Made by ``Exchange/bind(to:routingKey:noWait:arguments:)``. RabbitMQ:
/// [Exchange to exchange bindings](https://www.rabbitmq.com/docs/e2e).
public final class ExchangeBinding: Sendable {
    /// The exchange that gets messages.
    public let destination: Exchange

    /// The exchange they come from.
    public let source: Exchange

    private let made: MadeBinding

    fileprivate init(destination: Exchange, source: Exchange, _ made: MadeBinding) {
        self.destination = destination
        self.source = source
        self.made = made
    }

    /// The routing key of the binding.
    public var routingKey: String { made.binding.routingKey }

    /// The arguments of the binding.
    public var arguments: BindingArguments { made.binding.arguments }

    /// Removes the binding.
    ///
    /// - Parameters:
    ///   - noWait: Whether not to wait for the broker. An error then closes the channel later.
    ///   - arguments: The arguments that name the binding to the broker; those it was made with by default.
    /// - Throws: ``AMQPError/Code/deleted`` the second time, or if the destination was deleted; other ``AMQPError``s;
    ///   `CancellationError`.
    public func unbind(noWait: Bool = false, arguments: BindingArguments? = nil) async throws {
        try made.requireNotRemoved()
        try destination.requireNotDeleted()
        try await made.remove(arguments: arguments, noWait: noWait)
    }
}

extension Exchange {
    /// Binds the exchange to another one: what is published there reaches this one too if the routing key matches.
    ///
    /// RabbitMQ: [Exchange to exchange bindings](https://www.rabbitmq.com/docs/e2e).
    ///
    /// ```swift
    /// let audit = try await channel.declareExchange("audit", type: .fanout)
    /// try await audit.bind(to: orders, routingKey: "#")
    /// ```
    ///
    /// - Parameters:
    ///   - source: Where messages are published.
    ///   - routingKey: What the source compares with messages' routing keys, which a headers exchange does not; at most
    ///     255 bytes of UTF-8.
    ///   - noWait: Whether not to wait for the broker. An error then closes the channel later.
    ///   - arguments: Which headers a message must have, for instance: typed, or as a dictionary literal.
    /// - Returns: The binding, with which it can be removed.
    /// - Throws: ``AMQPError/Code/deleted`` if one of the exchanges was deleted, ``AMQPError/Code/invalidExchangeName`` if
    ///   one is the default exchange and ``AMQPError/Code/invalidArgument`` for arguments that can't work, all before
    ///   anything is sent; other ``AMQPError``s; `CancellationError`.
    @discardableResult
    public func bind(
        to source: Exchange,
        routingKey: String = "",
        noWait: Bool = false,
        arguments: BindingArguments = [:]
    ) async throws -> ExchangeBinding {
        try requireNotDeleted()
        try requireNotDefault()
        let binding = Topology.Binding(exchange: name, to: source.name, routingKey: routingKey, arguments: arguments)
        let made = try await MadeBinding.make(binding, from: source, on: channel, noWait: noWait)
        return ExchangeBinding(destination: self, source: source, made)
    }
}
