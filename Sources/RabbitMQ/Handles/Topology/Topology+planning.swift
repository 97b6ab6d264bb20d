extension Topology {
    /// Compares the description with what a broker has, and changes nothing.
    ///
    /// Each exchange and queue is looked for with a passive declaration; what exists is then declared as it is
    /// described, which makes the broker compare. That happens on channels opened for it, since the broker closes a
    /// channel with each answer that is not yes: the connection's other channels see nothing of it. A type of exchange
    /// that AMQP doesn't know is tried on a connection opened for it.
    ///
    /// What the broker compares is what counts: RabbitMQ ignores, for example, arguments that an existing queue's type
    /// does not have. To look for a queue renews the time that ``QueueArguments/expires`` gives it.
    ///
    /// - Parameter connection: Where to look. Queues that are exclusive to it are seen as its own.
    /// - Returns: Everything, with its state.
    /// - Throws: ``AMQPError/Code/invalidArgument`` if the description can't be, before the broker is asked;
    ///   ``AMQPError/Code/unsupported`` for a type of exchange that AMQP doesn't know, if the connection was made with a
    ///   ``ConnectionConfiguration/connectedSocket``; other ``AMQPError``s; `CancellationError`.
    public func plan(on connection: Connection) async throws -> TopologyPlan {
        try validate()
        var probe = TopologyProbe(connection)
        do {
            let plan = try await plan(&probe)
            await probe.close()
            return plan
        } catch {
            await probe.close()
            throw error
        }
    }

    private func plan(_ probe: inout TopologyProbe) async throws -> TopologyPlan {
        var plan = TopologyPlan()
        var types = Dictionary(
            uniqueKeysWithValues: [ExchangeType.direct, .fanout, .topic, .headers].map { ($0, AMQPError?.none) }
        )
        for exchange in inOrderOfAlternates() {
            if types[exchange.type] == nil {
                types[exchange.type] = .some(try await probe.findType(exchange.type))
            }
            let state: TopologyPlan.State =
                if case .some(.some(let error)) = types[exchange.type] { .conflict(error) } else {
                    try await probe.state(of: exchange)
                }
            plan.exchanges.append(TopologyPlan.Step(entity: exchange, state: state))
        }
        for queue in Self.unique(queues) {
            plan.queues.append(TopologyPlan.Step(entity: queue, state: try await probe.state(of: queue)))
        }
        let missing = try await missingEnds(&probe)
        let bindings = Self.unique(bindings)
        for binding in bindings.filter({ !$0.destination.isExchange }) + bindings.filter(\.destination.isExchange) {
            let error = missing[.exchange(binding.source)] ?? missing[binding.destination]
            plan.bindings.append(TopologyPlan.Step(entity: binding, state: error.map { .conflict($0) } ?? .unknown))
        }
        return plan
    }

    /// Ends of bindings that are not described and do not exist.
    private func missingEnds(_ probe: inout TopologyProbe) async throws -> [Binding.Destination: AMQPError] {
        let described = Set(exchanges.map { Binding.Destination.exchange($0.name) })
            .union(queues.map { .queue($0.name) })
        let ends = Self.unique(bindings.flatMap { [.exchange($0.source), $0.destination] })
        var missing: [Binding.Destination: AMQPError] = [:]
        for end in ends where !described.contains(end) {
            missing[end] =
                end.isExchange ? try await probe.findExchange(end.name) : try await probe.findQueue(end.name)
        }
        return missing
    }

    private static func unique<Entity: Hashable>(_ entities: [Entity]) -> [Entity] {
        var seen: Set<Entity> = []
        return entities.filter { seen.insert($0).inserted }
    }
}
