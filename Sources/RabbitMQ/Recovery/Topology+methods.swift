extension Topology.Exchange {
    /// The method that declares it.
    func declaration(passive: Bool = false, noWait: Bool = false) -> ClientMethod.DeclareExchange {
        ClientMethod.DeclareExchange(
            name: name,
            type: type.rawValue,
            passive: passive,
            durable: durable,
            autoDelete: autoDelete,
            internal: `internal`,
            noWait: noWait,
            arguments: arguments.table
        )
    }
}

extension Topology.Queue {
    /// The method that declares it.
    func declaration(passive: Bool = false, noWait: Bool = false) -> ClientMethod.DeclareQueue {
        ClientMethod.DeclareQueue(
            name: name,
            passive: passive,
            durable: durable,
            exclusive: exclusive,
            autoDelete: autoDelete,
            noWait: noWait,
            arguments: arguments.table
        )
    }
}

extension Topology.Binding {
    private func content(_ noWait: Bool) -> ClientMethod.Binding {
        ClientMethod.Binding(
            destination: destination.name,
            source: source,
            routingKey: routingKey,
            noWait: noWait,
            arguments: arguments.table
        )
    }

    /// The method that makes it.
    func bind(noWait: Bool) -> ClientMethod {
        destination.isExchange ? .exchangeBind(content(noWait)) : .queueBind(content(noWait))
    }

    /// The method that removes it.
    func unbind(noWait: Bool) -> ClientMethod {
        destination.isExchange ? .exchangeUnbind(content(noWait)) : .queueUnbind(content(noWait))
    }
}
