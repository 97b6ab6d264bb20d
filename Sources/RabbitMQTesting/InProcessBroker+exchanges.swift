public import RabbitMQ

/// What a test has of exchanges before any client comes.
extension InProcessBroker {
    /// Declares an exchange, as a client would have done before the test; without effect if there is one of that name.
    ///
    /// - Parameters:
    ///   - name: The name.
    ///   - type: How it routes.
    ///   - durable: Whether it says that it survives a restart: who declares it again has to say the same.
    ///   - arguments: Where unroutable messages go.
    /// - Throws: ``/RabbitMQ/AMQPError/Code/preconditionFailed`` if the broker has no such type, or an argument is
    ///   wrong; ``/RabbitMQ/AMQPError/Code/accessRefused`` if the name is the broker's.
    public func declareExchange(
        _ name: String,
        type: ExchangeType = .direct,
        durable: Bool = true,
        arguments: ExchangeArguments = ExchangeArguments()
    ) throws {
        let declared = Request.DeclareExchange(
            name: name,
            type: type.rawValue,
            passive: false,
            durable: durable,
            autoDelete: false,
            internal: false,
            noWait: true,
            arguments: arguments.table
        )
        try change { (broker: inout Broker) throws(Refusal) in
            if broker.exchanges[name] == nil { try broker.declare(declared) }
        }
    }

    /// Binds a queue to an exchange, so that it gets what is published there; without effect if it is bound like that.
    ///
    /// ```swift
    /// try broker.declareExchange("events", type: .topic)
    /// try broker.declareQueue("seen")
    /// try broker.bindQueue("seen", to: "events", routingKey: "#")
    /// ```
    ///
    /// - Parameters:
    ///   - queue: The name of the queue.
    ///   - exchange: The name of the exchange.
    ///   - routingKey: The routing key, or a topic exchange's pattern.
    ///   - arguments: What a headers exchange compares.
    /// - Throws: ``/RabbitMQ/AMQPError/Code/notFound`` if one of them is not there; otherwise as
    ///   ``declareExchange(_:type:durable:arguments:)``.
    public func bindQueue(
        _ queue: String,
        to exchange: String,
        routingKey: String = "",
        arguments: BindingArguments = BindingArguments()
    ) throws {
        let binding = Request.Binding(
            destination: queue,
            source: exchange,
            routingKey: routingKey,
            noWait: true,
            arguments: arguments.table
        )
        try change { (broker: inout Broker) throws(Refusal) in
            try Broker.requireNotDefault(exchange)
            guard broker.queues[queue] != nil else { throw Refusal.notFound(queue: queue) }
            try broker.change(binding, .queue(queue), adds: true)
        }
    }

    /// Changes the broker as a client could, and throws what that would be told.
    func change(_ body: @Sendable (inout Broker) throws(Refusal) -> Void) throws {
        let refusal = server.update { state -> Refusal? in
            do throws(Refusal) {
                try body(&state.broker)
                return nil
            } catch {
                return error
            }
        }
        guard let refusal else { return }
        let code: AMQPError.Code =
            switch refusal.code {
            case .notFound: .notFound
            case .accessRefused: .accessRefused
            default: .preconditionFailed
            }
        throw AMQPError(code, refusal.text, replyCode: refusal.code)
    }
}
