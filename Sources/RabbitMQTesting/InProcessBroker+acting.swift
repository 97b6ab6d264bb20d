public import RabbitMQ

/// What a test does in the broker without a client of its own.
extension InProcessBroker {
    /// Publishes a message. It is not checked as one of a client, which could be refused.
    ///
    /// - Parameters:
    ///   - message: The message.
    ///   - exchange: The name of the exchange; that of the default exchange if it is left out.
    ///   - routingKey: The routing key: for the default exchange the name of a queue, or what a request's
    ///     ``/RabbitMQ/Message/replyTo`` says.
    /// - Returns: Whether it has reached a queue or who waits for the reply, and all queues that it has reached took it; false
    ///   if there is no such exchange.
    @discardableResult
    public func publish(_ message: Message, to exchange: String = "", routingKey: String) -> Bool {
        let stored = StoredMessage(message: message, properties: nil, exchange: exchange, routingKey: routingKey)
        return server.update { state -> Bool in
            if exchange.isEmpty, state.broker.deliverReply(stored) { return true }
            let outcome = state.broker.publish(stored)
            return outcome.isRouted && !outcome.isRefused
        }
    }

    /// Declares a queue, as a client would have done before the test; without effect if there is one of that name.
    ///
    /// - Parameters:
    ///   - name: The name.
    ///   - durable: Whether it says that it survives a restart: who declares it again has to say the same.
    ///   - arguments: What kind of queue it is, its limits and so on.
    /// - Throws: ``/RabbitMQ/AMQPError/Code/preconditionFailed`` if an argument is wrong, or the name is empty;
    ///   ``/RabbitMQ/AMQPError/Code/accessRefused`` if the name is the broker's, which begins with `amq.`.
    public func declareQueue(
        _ name: String,
        durable: Bool = true,
        arguments: QueueArguments = QueueArguments()
    ) throws {
        let declared = Request.DeclareQueue(
            name: name,
            passive: false,
            durable: durable,
            exclusive: false,
            autoDelete: false,
            noWait: true,
            arguments: arguments.table
        )
        try change { (broker: inout Broker) throws(Refusal) in
            // The broker would make one up, which the test would not know.
            guard !name.isEmpty else { throw Refusal(.preconditionFailed, "the queue has no name") }
            try Broker.requireFreeName(name)
            guard broker.queues[name] == nil else { return }
            let settings = try QueueSettings(declared)
            let (id, now) = (broker.nextSerial(), broker.now)
            broker.queues[name] = QueueState(declared, settings, id: id, owner: nil, now: now)
        }
    }

    /// Moves the clock: what is due by then happens before this returns, such as messages that expire, and in the order in
    /// which it is due. Clients take a moment to act on it, and do so at the new time.
    ///
    /// That is the broker's clock alone. The client's deadlines and delays run with the machine's.
    ///
    /// - Parameter duration: How far; backwards is not at all.
    public func advance(by duration: Duration) { server.update { $0.clock.advance(by: duration) } }

    /// Stops the clock: from now on it is moved by ``advance(by:)`` alone.
    public func stopClock() { server.update { $0.clock.stop() } }

    /// Has the clock run again.
    public func runClock() { server.update { $0.clock.run() } }
}
