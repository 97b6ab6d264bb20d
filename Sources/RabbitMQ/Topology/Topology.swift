/// Exchanges, queues and bindings, described as a value: to be compared with what a broker has, and to be made there.
///
/// ```swift
/// let topology = Topology(
///     exchanges: [Topology.Exchange("orders", type: .topic), Topology.Exchange("failed")],
///     queues: [
///         Topology.Queue("orders.eu", arguments: QueueArguments(type: .quorum, deadLetterExchange: "failed"))
///     ],
///     bindings: [Topology.Binding(queue: "orders.eu", to: "orders", routingKey: "eu.#")]
/// )
/// let plan = try await topology.plan(on: connection)
/// print(plan)
/// try await topology.apply(on: connection)
/// ```
///
/// It can be read from and written to JSON. What a connection has declared is given by
/// ``Connection/exportTopology()``.
public struct Topology: Hashable, Sendable {
    /// The exchanges. Those that every broker has, such as `amq.topic`, are not described, only bound to.
    public var exchanges: [Exchange]

    /// The queues.
    public var queues: [Queue]

    /// The bindings, whose ends need not be described here if they exist.
    public var bindings: [Binding]

    /// Makes a description.
    ///
    /// - Parameters:
    ///   - exchanges: The exchanges.
    ///   - queues: The queues.
    ///   - bindings: The bindings.
    public init(exchanges: [Exchange] = [], queues: [Queue] = [], bindings: [Binding] = []) {
        self.exchanges = exchanges
        self.queues = queues
        self.bindings = bindings
    }
}

extension Topology {
    /// An exchange, described.
    public struct Exchange: Hashable, Sendable {
        /// Its name: at most 255 bytes of UTF-8, not beginning with `amq.`.
        public var name: String
        /// How it routes.
        public var type: ExchangeType
        /// Whether it survives a restart of the broker.
        public var durable: Bool
        /// Whether it is deleted when the last queue is unbound from it.
        public var autoDelete: Bool
        /// Whether it can't be published to, only be bound to other exchanges.
        public var `internal`: Bool
        /// Where unroutable messages go, and so on.
        public var arguments: ExchangeArguments

        /// Describes an exchange.
        ///
        /// - Parameters:
        ///   - name: ``name``.
        ///   - type: ``type``.
        ///   - durable: ``durable``.
        ///   - autoDelete: ``autoDelete``.
        ///   - internal: ``internal``.
        ///   - arguments: ``arguments``.
        public init(
            _ name: String,
            type: ExchangeType = .direct,
            durable: Bool = true,
            autoDelete: Bool = false,
            internal: Bool = false,
            arguments: ExchangeArguments = ExchangeArguments()
        ) {
            self.name = name
            self.type = type
            self.durable = durable
            self.autoDelete = autoDelete
            self.internal = `internal`
            self.arguments = arguments
        }
    }

    /// A queue, described.
    public struct Queue: Hashable, Sendable {
        /// Its name: at most 255 bytes of UTF-8, not beginning with `amq.`.
        public var name: String
        /// Whether it survives a restart of the broker.
        public var durable: Bool
        /// Whether only the connection that makes it can use it. It is deleted with the connection.
        public var exclusive: Bool
        /// Whether it is deleted when its last consumer is gone.
        public var autoDelete: Bool
        /// What kind of queue it is, its limits and so on.
        public var arguments: QueueArguments

        /// Describes a queue.
        ///
        /// - Parameters:
        ///   - name: ``name``.
        ///   - durable: ``durable``.
        ///   - exclusive: ``exclusive``.
        ///   - autoDelete: ``autoDelete``.
        ///   - arguments: ``arguments``.
        public init(
            _ name: String,
            durable: Bool = true,
            exclusive: Bool = false,
            autoDelete: Bool = false,
            arguments: QueueArguments = QueueArguments()
        ) {
            self.name = name
            self.durable = durable
            self.exclusive = exclusive
            self.autoDelete = autoDelete
            self.arguments = arguments
        }
    }

    /// A binding of a queue or an exchange to an exchange, described.
    public struct Binding: Hashable, Sendable {
        /// What gets the messages.
        public struct Destination: Hashable, Sendable {
            /// Whether it is an exchange, not a queue.
            public let isExchange: Bool
            /// Its name.
            public let name: String

            /// A queue.
            public static func queue(_ name: String) -> Destination { Destination(isExchange: false, name: name) }

            /// An exchange.
            public static func exchange(_ name: String) -> Destination { Destination(isExchange: true, name: name) }
        }

        /// What gets the messages.
        public var destination: Destination
        /// The name of the exchange that they come from.
        public var source: String
        /// What the source compares with messages' routing keys; at most 255 bytes of UTF-8.
        public var routingKey: String
        /// Which headers a message must have.
        public var arguments: BindingArguments

        /// Describes a queue's binding to an exchange.
        ///
        /// - Parameters:
        ///   - queue: The name of the queue that gets messages.
        ///   - source: The name of the exchange that they come from.
        ///   - routingKey: ``routingKey``.
        ///   - arguments: ``arguments``.
        public init(
            queue: String,
            to source: String,
            routingKey: String = "",
            arguments: BindingArguments = BindingArguments()
        ) {
            self.init(.queue(queue), to: source, routingKey: routingKey, arguments: arguments)
        }

        /// Describes an exchange's binding to another exchange.
        ///
        /// - Parameters:
        ///   - exchange: The name of the exchange that gets messages.
        ///   - source: The name of the exchange that they come from.
        ///   - routingKey: ``routingKey``.
        ///   - arguments: ``arguments``.
        public init(
            exchange: String,
            to source: String,
            routingKey: String = "",
            arguments: BindingArguments = BindingArguments()
        ) {
            self.init(.exchange(exchange), to: source, routingKey: routingKey, arguments: arguments)
        }

        init(_ destination: Destination, to source: String, routingKey: String, arguments: BindingArguments) {
            self.destination = destination
            self.source = source
            self.routingKey = routingKey
            self.arguments = arguments
        }
    }
}

extension Topology.Exchange: CustomStringConvertible {
    /// What it is, in words.
    public var description: String { "the exchange \(name.printable())" }
}

extension Topology.Queue: CustomStringConvertible {
    /// What it is, in words.
    public var description: String { "the queue \(name.printable())" }
}

extension Topology.Binding: CustomStringConvertible {
    /// What it is, in words.
    public var description: String {
        "the binding of \(destination) to the exchange \(source.printable()) by \"\(routingKey.printable())\""
    }
}

extension Topology.Binding.Destination: CustomStringConvertible {
    /// What it is, in words.
    public var description: String { "the \(isExchange ? "exchange" : "queue") \(name.printable())" }
}
