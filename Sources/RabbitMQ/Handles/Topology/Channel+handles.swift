extension Channel {
    /// A handle of an exchange that exists, without asking the broker.
    ///
    /// For exchanges that somebody else declares, and for those that every broker has (`amq.topic`):
    ///
    /// ```swift
    /// let events = try channel.exchange("amq.topic", type: .topic)
    /// try await queue.bind(to: events, routingKey: "user.#")
    /// ```
    ///
    /// If the exchange does not exist, the first call that needs it finds out. The handle's flags are the defaults,
    /// not what the broker has.
    ///
    /// - Parameters:
    ///   - name: At most 255 bytes of UTF-8, without NUL, line feed and carriage return; the empty name gives the default exchange.
    ///   - type: How it routes, as far as you know.
    /// - Throws: ``AMQPError/Code/invalidExchangeName`` for a name that no exchange can have.
    public func exchange(_ name: String, type: ExchangeType = .direct) throws(AMQPError) -> Exchange {
        if !name.isEmpty { try EntityName.checkExisting(name, kind: "exchange", code: .invalidExchangeName) }
        return existing(name, type)
    }

    /// A handle of a queue that exists, without asking the broker.
    ///
    /// For queues that somebody else declares. If the queue does not exist, the first call that needs it finds out.
    /// The handle's flags are the defaults, its arguments empty and its counts 0, whatever the broker has; to ask, use
    /// a passive declaration. Of a queue that the broker has named for this connection it is another handle, which has its
    /// flags, and its next name once the connection was lost and made again.
    ///
    /// - Parameter name: From 1 to 255 bytes of UTF-8, without NUL, line feed and carriage return.
    /// - Throws: ``AMQPError/Code/invalidName`` for a name that no queue can have.
    public func queue(_ name: String) throws(AMQPError) -> Queue {
        try EntityName.checkExisting(name, kind: "queue", code: .invalidName)
        return Queue(channel: self, connection.topology.identity(named: name) ?? QueueIdentity(Topology.Queue(name)))
    }

    /// The default exchange, which routes to the queue whose name is the routing key (AMQP 0-9-1, section 3.1.3.3).
    public var defaultExchange: Exchange { existing("", .direct) }

    /// The direct exchange that every broker has, `amq.direct`.
    public var directExchange: Exchange { existing("amq.direct", .direct) }

    /// The fanout exchange that every broker has, `amq.fanout`.
    public var fanoutExchange: Exchange { existing("amq.fanout", .fanout) }

    /// The topic exchange that every broker has, `amq.topic`.
    public var topicExchange: Exchange { existing("amq.topic", .topic) }

    /// The headers exchange that every broker has, `amq.headers`.
    public var headersExchange: Exchange { existing("amq.headers", .headers) }

    private func existing(_ name: String, _ type: ExchangeType) -> Exchange {
        Exchange(channel: self, name: name, type: type, durable: true, autoDelete: false, internal: false)
    }
}
