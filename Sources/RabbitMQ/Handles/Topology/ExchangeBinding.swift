internal import Synchronization

/// An exchange's binding to another exchange: what reaches the source, and matches, reaches the destination too.
///
/// Made by ``Exchange/bind(to:routingKey:noWait:arguments:)``. RabbitMQ:
/// [Exchange to exchange bindings](https://www.rabbitmq.com/docs/e2e).
public final class ExchangeBinding: Sendable {
    /// The exchange that gets messages.
    public let destination: Exchange

    /// The exchange they come from.
    public let source: Exchange

    /// The routing key of the binding.
    public let routingKey: String

    /// The arguments of the binding.
    public let arguments: Table

    private let isDeleted = Atomic<Bool>(false)

    init(destination: Exchange, source: Exchange, routingKey: String, arguments: Table) {
        self.destination = destination
        self.source = source
        self.routingKey = routingKey
        self.arguments = arguments
    }

    /// Removes the binding.
    ///
    /// - Parameters:
    ///   - noWait: Whether not to wait for the broker. An error then closes the channel later.
    ///   - arguments: The arguments that name the binding to the broker; those it was made with by default.
    /// - Throws: ``AMQPError/Code/deleted`` the second time, or if the destination was deleted; other ``AMQPError``s;
    ///   `CancellationError`.
    public func unbind(noWait: Bool = false, arguments: Table? = nil) async throws {
        if isDeleted.load(ordering: .relaxed) {
            throw AMQPError(.deleted, "the binding of \(destination.name) to \(source.name) was removed")
        }
        try destination.requireNotDeleted()
        let binding = ClientMethod.Binding(
            destination: destination.name,
            source: source.name,
            routingKey: routingKey,
            noWait: noWait,
            arguments: arguments ?? self.arguments
        )
        try await destination.channel.request(.exchangeUnbind(binding), noWait: noWait)
        isDeleted.store(true, ordering: .relaxed)
        destination.channel.connection.topology.remove(binding, from: .exchange)
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
    ///   - routingKey: What the source compares with messages' routing keys; at most 255 bytes of UTF-8.
    ///   - noWait: Whether not to wait for the broker. An error then closes the channel later.
    ///   - arguments: Further arguments, such as those a headers exchange compares.
    /// - Returns: The binding, with which it can be removed.
    /// - Throws: ``AMQPError/Code/deleted`` if one of the exchanges was deleted and
    ///   ``AMQPError/Code/invalidExchangeName`` if one is the default exchange, both before anything is sent; other
    ///   ``AMQPError``s; `CancellationError`.
    @discardableResult
    public func bind(
        to source: Exchange,
        routingKey: String,
        noWait: Bool = false,
        arguments: Table = [:]
    ) async throws -> ExchangeBinding {
        for exchange in [self, source] {
            try exchange.requireNotDeleted()
            try exchange.requireNotDefault()
        }
        try ExchangeRules.checkBind(to: source.name, type: source.type, arguments: arguments)
        let binding = ClientMethod.Binding(
            destination: name,
            source: source.name,
            routingKey: routingKey,
            noWait: noWait,
            arguments: arguments
        )
        try await channel.request(.exchangeBind(binding), noWait: noWait)
        channel.connection.topology.add(binding, to: .exchange)
        return ExchangeBinding(destination: self, source: source, routingKey: routingKey, arguments: arguments)
    }
}
