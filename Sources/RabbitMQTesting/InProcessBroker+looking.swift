public import RabbitMQ

/// What a test sees of the broker.
extension InProcessBroker {
    /// A queue as it was at one moment.
    public struct QueueSnapshot: Sendable, Hashable {
        /// Its name.
        public let name: String
        /// How many messages wait for a consumer.
        public let ready: Int
        /// How many are with clients, and not settled.
        public let unsettled: Int
        /// How many consumers it has.
        public let consumers: Int
        /// The arguments that it was declared with.
        public let arguments: FieldTable
    }

    /// A message that waits in a queue.
    public struct QueuedMessage: Sendable, Hashable {
        /// Body and properties.
        public let message: Message
        /// The exchange that it was published to, by a client or as a dead letter; empty for the default exchange.
        public let exchangeName: String
        /// The routing key that it was published with then.
        public let routingKey: String
        /// Whether it was delivered before.
        public let redelivered: Bool
    }

    /// A connection as it was at one moment.
    public struct ConnectionSnapshot: Sendable, Hashable {
        /// Its number, by which faults can be aimed at it: connections are counted upwards.
        public let id: Int
        /// Its name, if its client gave one.
        public let name: String
        /// Who has logged in.
        public let user: String
        /// How many channels it has.
        public let channels: Int
        /// How many frames have come over it, heartbeats aside.
        public let frames: Int
    }

    /// A queue; nil if there is none of this name.
    ///
    /// - Parameter name: Its name.
    /// - Returns: The queue as it is now.
    public func queue(_ name: String) -> QueueSnapshot? { server.look { $0.queues[name].map(Self.snapshot) } }

    /// All queues, by their names.
    public var queues: [QueueSnapshot] {
        server.look { broker in broker.queues.values.map(Self.snapshot).sorted { $0.name < $1.name } }
    }

    private static func snapshot(_ queue: QueueState) -> QueueSnapshot {
        QueueSnapshot(
            name: queue.name,
            ready: queue.ready.count,
            unsettled: queue.unsettledCount,
            consumers: queue.consumers.count,
            arguments: queue.arguments
        )
    }

    /// The messages that wait in a queue, the next first; they stay there. Those with clients are not among them.
    ///
    /// - Parameter queue: The name of the queue.
    /// - Returns: The messages; none if there is no such queue.
    public func messages(in queue: String) -> [QueuedMessage] {
        server.look { broker in
            (broker.queues[queue]?.ready.all ?? []).map { stored in
                QueuedMessage(
                    message: stored.message,
                    exchangeName: stored.exchange,
                    routingKey: stored.routingKey,
                    redelivered: stored.redelivered
                )
            }
        }
    }

    /// The names of the exchanges that were declared.
    public var exchangeNames: Set<String> {
        server.look { broker in Set(broker.exchanges.keys.filter { !$0.isEmpty && !$0.hasPrefix("amq.") }) }
    }

    /// The exchanges, queues and bindings that there are, by the names of the exchanges and queues: to be compared with what a
    /// program should have declared. Of the exchanges that every broker has, only the bindings are among them.
    ///
    /// ```swift
    /// let binding = Topology.Binding(queue: "orders.eu", to: "orders", routingKey: "eu.#")
    /// #expect(broker.topology.bindings == [binding])
    /// ```
    public var topology: Topology {
        server.look { broker -> Topology in
            let exchanges = broker.exchanges.values.sorted { $0.name < $1.name }
            let queues = broker.queues.values.sorted { $0.name < $1.name }
            return Topology(
                exchanges: exchanges.filter { !Broker.isReserved($0.name) }.map { Self.describe($0) },
                queues: queues.map { Self.describe($0) },
                bindings: exchanges.flatMap { exchange in
                    exchange.bindings.map { Self.describe($0, of: exchange.name) }
                }
            )
        }
    }

    private static func describe(_ exchange: ExchangeState) -> Topology.Exchange {
        Topology.Exchange(
            exchange.name,
            type: ExchangeType(rawValue: exchange.kind.rawValue),
            durable: exchange.durable,
            autoDelete: exchange.autoDelete,
            internal: exchange.isInternal,
            arguments: ExchangeArguments(exchange.arguments)
        )
    }

    private static func describe(_ queue: QueueState) -> Topology.Queue {
        Topology.Queue(
            queue.name,
            durable: queue.durable,
            exclusive: queue.owner != nil,
            autoDelete: queue.autoDelete,
            arguments: QueueArguments(queue.arguments)
        )
    }

    private static func describe(_ binding: ExchangeState.Binding, of source: String) -> Topology.Binding {
        let (key, arguments) = (binding.routingKey, BindingArguments(binding.arguments))
        return switch binding.destination {
        case .queue(let name): Topology.Binding(queue: name, to: source, routingKey: key, arguments: arguments)
        case .exchange(let name): Topology.Binding(exchange: name, to: source, routingKey: key, arguments: arguments)
        }
    }

    /// The connections that are open, in the order in which they came.
    public var connections: [ConnectionSnapshot] {
        server.look { broker in
            broker.connections.values.filter { $0.phase == .open && $0.end == nil }.sorted { $0.id < $1.id }.map {
                one in
                ConnectionSnapshot(
                    id: one.id,
                    name: one.name,
                    user: one.user,
                    channels: broker.channels.keys.count { $0.connection == one.id },
                    frames: one.frameCount
                )
            }
        }
    }

    /// Waits until something is so.
    ///
    /// ```swift
    /// try await broker.wait { $0.queue("parked")?.ready == 1 }
    /// ```
    ///
    /// - Parameters:
    ///   - limit: How long to wait at the most; 5 s by default.
    ///   - condition: What is to be so. It is called again and again.
    /// - Throws: ``/RabbitMQ/AMQPError/Code/timedOut``, which says what queues, consumers and connections there are instead;
    ///   `CancellationError`; what `condition` throws.
    public func wait(
        atMost limit: Duration = .seconds(5),
        until condition: (InProcessBroker) async throws -> Bool
    ) async throws {
        let end = ContinuousClock.now + limit
        while try await !condition(self) {
            guard ContinuousClock.now < end else {
                throw AMQPError(.timedOut, "what the test waits for has not come within \(limit); \(summary)")
            }
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    /// What a test that has waited in vain wants to know first.
    private var summary: String {
        let described = queues.map { queue in
            "\(queue.name) (ready: \(queue.ready), unsettled: \(queue.unsettled), consumers: \(queue.consumers))"
        }
        let names = described.isEmpty ? "none" : described.joined(separator: ", ")
        return "connections: \(connections.count), faults to come: \(pendingFaults), queues: \(names)"
    }
}
