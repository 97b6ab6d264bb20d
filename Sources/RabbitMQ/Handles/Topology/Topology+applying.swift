extension Topology {
    /// Makes what is described, on a channel opened for it: exchanges, then queues, then bindings.
    ///
    /// First it looks, as ``plan(on:)`` does; if anything conflicts, nothing is changed. What exists already stays, so
    /// that applying twice changes nothing. What is not described is left alone, whoever made it.
    ///
    /// - Parameter connection: Where to make it. What is made counts as declared through it: see
    ///   ``Connection/exportTopology()``.
    /// - Returns: What the broker had before.
    /// - Throws: ``AMQPError/Code/topologyConflict`` that lists all conflicts, before anything is changed;
    ///   ``AMQPError/Code/invalidArgument`` if the description can't be; other ``AMQPError``s that say what could not
    ///   be made, after which what came before it exists; `CancellationError`.
    @discardableResult
    public func apply(on connection: Connection) async throws -> TopologyPlan {
        let plan = try await plan(on: connection)
        let conflicts = plan.conflicts
        guard conflicts.isEmpty else {
            throw AMQPError(
                .topologyConflict,
                "the broker has \(conflicts.count) of the described otherwise: \(conflicts.joined(separator: "; "))"
            )
        }
        try await connection.withChannel { channel in
            for exchange in plan.exchanges.map(\.entity) {
                try await Self.make(exchange) { try await exchange.declare(on: channel) }
            }
            for queue in plan.queues.map(\.entity) {
                try await Self.make(queue) { try await queue.declare(on: channel) }
            }
            for binding in plan.bindings.map(\.entity) {
                try await Self.make(binding) { try await binding.bind(on: channel) }
            }
        }
        return plan
    }

    /// Says in an error what could not be made.
    private static func make(_ entity: some CustomStringConvertible, _ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let error as AMQPError {
            throw AMQPError(
                error.code,
                "\(entity) could not be made: \(error.message)",
                underlying: error,
                replyCode: error.replyCode,
                replyText: error.replyText,
                method: error.method
            )
        }
    }
}

extension Topology.Exchange {
    fileprivate func declare(on channel: Channel) async throws {
        try await channel.declareExchange(
            name,
            type: type,
            durable: durable,
            autoDelete: autoDelete,
            internal: `internal`,
            arguments: arguments
        )
    }
}

extension Topology.Queue {
    fileprivate func declare(on channel: Channel) async throws {
        try await channel.declareQueue(
            name,
            durable: durable,
            exclusive: exclusive,
            autoDelete: autoDelete,
            arguments: arguments
        )
    }
}

extension Topology.Binding {
    fileprivate func bind(on channel: Channel) async throws {
        let source = try channel.exchange(source)
        if destination.isExchange {
            let destination = try channel.exchange(destination.name)
            try await destination.bind(to: source, routingKey: routingKey, arguments: arguments)
        } else {
            let queue = try channel.queue(destination.name)
            try await queue.bind(to: source, routingKey: routingKey, arguments: arguments)
        }
    }
}
