extension Channel {
    /// Declares an exchange: makes it, unless it exists.
    ///
    /// AMQP 0-9-1, section 1.6.2.1. RabbitMQ: [Exchanges](https://www.rabbitmq.com/docs/exchanges).
    ///
    /// - Parameters:
    ///   - name: At most 255 bytes of UTF-8, without NUL, line feed and carriage return; beginning with `amq.` only if
    ///     passive. The empty name gives the default exchange, which exists always, without asking the broker.
    ///   - type: How it routes.
    ///   - durable: Whether it survives a restart of the broker.
    ///   - autoDelete: Whether it is deleted when the last queue is unbound from it.
    ///   - internal: Whether it can't be published to, only be bound to other exchanges.
    ///   - passive: Whether it is only to be looked up: a missing one is an error.
    ///   - noWait: Whether not to wait for the broker. An error then closes the channel later.
    ///   - arguments: Where unroutable messages go, and so on: typed, or as a dictionary literal.
    /// - Throws: ``AMQPError/Code/invalidExchangeName``, and ``AMQPError/Code/invalidArgument`` for arguments that can't
    ///   work, before anything is sent;
    ///   ``AMQPError/Code/preconditionFailed`` if it exists with other flags and ``AMQPError/Code/notFound`` if a passive
    ///   one is missing, both of which close the channel; other ``AMQPError``s; `CancellationError`.
    @discardableResult
    public func declareExchange(
        _ name: String,
        type: ExchangeType = .direct,
        durable: Bool = true,
        autoDelete: Bool = false,
        internal: Bool = false,
        passive: Bool = false,
        noWait: Bool = false,
        arguments: ExchangeArguments = [:]
    ) async throws -> Exchange {
        let exchange = Exchange(
            channel: self,
            name: name,
            type: type,
            durable: durable,
            autoDelete: autoDelete,
            internal: `internal`
        )
        if name.isEmpty { return exchange }
        try EntityName.checkExchange(name, isPassive: passive)
        if !passive { try arguments.validate(name, type: type) }
        let declared = Topology.Exchange(
            name,
            type: type,
            durable: durable,
            autoDelete: autoDelete,
            internal: `internal`,
            arguments: arguments
        )
        try await request(.exchangeDeclare(declared.declaration(passive: passive, noWait: noWait)), noWait: noWait)
        if !passive { connection.topology.add(declared, isSure: !noWait) }
        return exchange
    }

    /// Declares a queue: makes it, unless it exists.
    ///
    /// ```swift
    /// let orders = try await channel.declareQueue("orders", arguments: QueueArguments(type: .quorum, deliveryLimit: 5))
    /// ```
    ///
    /// AMQP 0-9-1, section 1.7.2.1. RabbitMQ: [Queues](https://www.rabbitmq.com/docs/queues).
    ///
    /// - Parameters:
    ///   - name: At most 255 bytes of UTF-8, without NUL, line feed and carriage return; beginning with `amq.` only if
    ///     passive, but `amq.rabbitmq.reply-to` is possible. With the empty name the broker makes one up, which the queue
    ///     then has.
    ///   - durable: Whether it survives a restart of the broker.
    ///   - exclusive: Whether only this connection can use it. It is deleted with the connection.
    ///   - autoDelete: Whether it is deleted when its last consumer is gone.
    ///   - passive: Whether it is only to be looked up: a missing one is an error.
    ///   - noWait: Whether not to wait for the broker. An error then closes the channel later.
    ///   - arguments: What kind of queue it is, its limits and so on: typed, or as a dictionary literal such as
    ///     `["x-queue-type": "quorum"]`.
    /// - Throws: ``AMQPError/Code/invalidName`` before anything is sent, for the empty name with `noWait` too, and
    ///   ``AMQPError/Code/invalidArgument`` for arguments that can't work, or not together with the flags;
    ///   ``AMQPError/Code/preconditionFailed`` if it exists with other flags, ``AMQPError/Code/resourceLocked`` if it is
    ///   exclusive to another connection and ``AMQPError/Code/notFound`` if a passive one is missing, all of which close
    ///   the channel; other ``AMQPError``s; `CancellationError`.
    @discardableResult
    public func declareQueue(
        _ name: String = "",
        durable: Bool = true,
        exclusive: Bool = false,
        autoDelete: Bool = false,
        passive: Bool = false,
        noWait: Bool = false,
        arguments: QueueArguments = [:]
    ) async throws -> Queue {
        if !name.isEmpty {
            try EntityName.checkQueue(name, isPassive: passive)
        } else if noWait {
            throw AMQPError(.invalidName, "a queue that the broker is to name can't be declared without waiting")
        }
        var declared = Topology.Queue(
            name,
            durable: durable,
            exclusive: exclusive,
            autoDelete: autoDelete,
            arguments: arguments
        )
        if !passive {
            try arguments.validate(declared)
            connection.advice.declaring(declared)
        }
        var (messageCount, consumerCount) = (0, 0)
        switch try await request(
            .queueDeclare(declared.declaration(passive: passive, noWait: noWait)),
            noWait: noWait
        ) {
        case .queueDeclareOk(let answer):
            declared.name = answer.name
            (messageCount, consumerCount) = (Int(answer.messageCount), Int(answer.consumerCount))
        case nil: break
        default: throw ChannelSession.wrongAnswer
        }
        let known = passive ? connection.topology.identity(named: declared.name) : nil
        let identity = known ?? QueueIdentity(declared, isServerNamed: name.isEmpty && !passive)
        if known == nil, identity.isServerNamed {
            connection.topology.add(identity)
        } else if !passive {
            connection.topology.add(declared, isSure: !noWait)
        }
        return Queue(channel: self, identity, messageCount: messageCount, consumerCount: consumerCount)
    }

    /// Sends a method, and waits for its answer unless it was told that none is to come.
    ///
    /// - Returns: The answer, or nil if there is none.
    @discardableResult
    func request(_ method: @autoclosure () -> ClientMethod, noWait: Bool) async throws -> ServerMethod? {
        if noWait {
            _ = try await core.send { session throws(AMQPError) in try session.send(method()) }
            return nil
        }
        guard case .method(let answer) = try await core.call(method()) else { throw ChannelSession.wrongAnswer }
        return answer
    }
}
