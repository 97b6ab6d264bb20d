internal import RabbitMQ

extension Broker {
    mutating func handleRouting(_ request: Request, _ key: ChannelKey) throws(Refusal) {
        switch request {
        case .exchangeDeclare(let declared):
            try declare(declared)
            if !declared.noWait { send(.exchangeDeclareOk, to: key) }
        case .exchangeDelete(let name, let ifUnused, let noWait):
            guard !Self.isReserved(name) else {
                throw Refusal(.accessRefused, "operation not permitted on the exchange '\(name)'")
            }
            if ifUnused, exchanges[name]?.bindings.isEmpty == false {
                throw Refusal(.preconditionFailed, "exchange '\(name)' in vhost '/' in use")
            }
            deleteExchange(name)
            if !noWait { send(.exchangeDeleteOk, to: key) }
        case .exchangeBind(let binding), .exchangeUnbind(let binding):
            let isBind = if case .exchangeBind = request { true } else { false }
            try Self.requireNotDefault(binding.source, binding.destination)
            // RabbitMQ takes what is not there for unbound.
            if isBind, exchanges[binding.destination] == nil { throw .notFound(exchange: binding.destination) }
            try change(binding, .exchange(binding.destination), adds: isBind)
            if !binding.noWait { send(isBind ? .exchangeBindOk : .exchangeUnbindOk, to: key) }
        case .queueBind(let binding), .queueUnbind(let binding):
            let name = try queueName(binding.destination, key)
            let isBind = if case .queueBind = request { true } else { false }
            try Self.requireNotDefault(binding.source)
            if isBind || queues[name] != nil { try requireUse(of: name, key) }
            var routingKey = binding.routingKey
            // AMQP 0-9-1, section 1.7.2.3: without a name, the key too is that of the last queue.
            if binding.destination.isEmpty, routingKey.isEmpty { routingKey = name }
            let named = Request.Binding(
                destination: name,
                source: binding.source,
                routingKey: routingKey,
                noWait: binding.noWait,
                arguments: binding.arguments
            )
            try change(named, .queue(name), adds: isBind)
            if !binding.noWait { send(isBind ? .queueBindOk : .queueUnbindOk, to: key) }
        default: break
        }
    }

    static func isReserved(_ name: String) -> Bool { name.isEmpty || name.hasPrefix("amq.") }

    static func requireNotDefault(_ exchanges: String...) throws(Refusal) {
        guard !exchanges.contains("") else {
            throw Refusal(.accessRefused, "operation not permitted on the default exchange")
        }
    }

    mutating func declare(_ declared: Request.DeclareExchange) throws(Refusal) {
        let name = declared.name
        if declared.passive {
            try Self.requireNotDefault(name)
            guard exchanges[name] != nil else { throw .notFound(exchange: name) }
            return
        }
        guard let kind = ExchangeState.Kind(rawValue: declared.type) else {
            // Before, it ended the whole connection.
            let code: ReplyCode = isAtLeast(3, 13) ? .preconditionFailed : .commandInvalid
            throw Refusal(code, "unknown exchange type '\(declared.type)'")
        }
        try Self.requireNotDefault(name)
        if let existing = exchanges[name] {
            func refuse(_ argument: String) -> Refusal {
                Refusal(.preconditionFailed, "inequivalent arg '\(argument)' for exchange '\(name)' in vhost '/'")
            }
            if existing.kind != kind { throw refuse("type") }
            if existing.durable != declared.durable { throw refuse("durable") }
            if existing.autoDelete != declared.autoDelete { throw refuse("auto_delete") }
            if existing.isInternal != declared.internal { throw refuse("internal") }
            if existing.alternate != declared.arguments["alternate-exchange"]?.stringValue {
                throw refuse("alternate-exchange")
            }
            return
        }
        guard !Self.isReserved(name) else {
            throw Refusal(.accessRefused, "exchange name '\(name)' contains reserved prefix 'amq.*'")
        }
        if let alternate = declared.arguments["alternate-exchange"], alternate.stringValue == nil {
            throw Refusal(.preconditionFailed, "invalid type for arg 'alternate-exchange' in exchange '\(name)'")
        }
        exchanges[name] = ExchangeState(
            name: name,
            kind: kind,
            durable: declared.durable,
            autoDelete: declared.autoDelete,
            isInternal: declared.internal,
            arguments: declared.arguments
        )
    }

    mutating func change(
        _ binding: Request.Binding,
        _ destination: ExchangeState.Destination,
        adds: Bool
    ) throws(Refusal) {
        guard let source = exchanges[binding.source] else {
            if adds { throw .notFound(exchange: binding.source) }
            return
        }
        let wanted = ExchangeState.Binding(
            destination: destination,
            routingKey: binding.routingKey,
            arguments: binding.arguments
        )
        if adds {
            if source.kind == .headers, let mode = binding.arguments["x-match"], !HeadersMatch.knows(mode) {
                throw Refusal(
                    .preconditionFailed,
                    "invalid x-match field value; expected all, any, all-with-x, or any-with-x"
                )
            }
            exchanges[binding.source]?.add(wanted)
        } else {
            removeBindings(of: binding.source) { $0 == wanted }
        }
    }

    /// Removes bindings of all exchanges.
    mutating func removeBindings(_ isMeant: (ExchangeState.Binding) -> Bool) {
        for name in exchanges.keys.sorted() { removeBindings(of: name, isMeant) }
    }

    /// Removes bindings of an exchange, which goes with the last one if it was declared so.
    private mutating func removeBindings(of name: String, _ isMeant: (ExchangeState.Binding) -> Bool) {
        guard exchanges[name]?.removeBindings(isMeant) == true, let exchange = exchanges[name] else { return }
        if exchange.autoDelete, exchange.bindings.isEmpty { deleteExchange(name) }
    }

    mutating func deleteExchange(_ name: String) {
        guard exchanges.removeValue(forKey: name) != nil else { return }
        removeBindings { $0.destination == .exchange(name) }
    }

    // MARK: Routes

    /// The queues that a message reaches, each once.
    func route(_ message: StoredMessage) -> [String] {
        let headers = message.message.headers ?? [:]
        var reached: [String] = []
        var visited: Set<String> = []
        var exchangesLeft = [message.exchange]
        while let name = exchangesLeft.popLast() {
            guard visited.insert(name).inserted, let exchange = exchanges[name] else { continue }
            var destinations: [ExchangeState.Destination] = []
            for key in [message.routingKey] + message.furtherKeys {
                if name.isEmpty {
                    if queues[key] != nil { destinations.append(.queue(key)) }
                } else {
                    destinations += exchange.destinations(routingKey: key, headers: headers)
                }
            }
            if destinations.isEmpty, let alternate = exchange.alternate { exchangesLeft.append(alternate) }
            for destination in destinations {
                switch destination {
                case .exchange(let next): exchangesLeft.append(next)
                case .queue(let queue): if !reached.contains(queue), queues[queue] != nil { reached.append(queue) }
                }
            }
        }
        return reached
    }
}
