/// Messages spread over several queues by a key: those of one key are in one queue, in order, and each queue has one consumer
/// at a time. A value.
///
/// One queue has one leader, on one node and about one core; several have several. Declared in one call, from as many processes
/// as like:
///
/// ```swift
/// let orders = Partitions("orders", count: 8)
/// try await orders.topology.apply(on: connection)
/// let publisher = try await orders.openPublisher(on: [connection])
/// try await publisher.publish(Message("x"), key: order.customer)
///
/// // In every worker: each partition has one of them at a time. What fails is tried again before the next one comes.
/// try await orders.process(on: connection) { message, partition in try await handle(message) }
/// ```
///
/// The number of partitions can't be changed while order matters: other keys go to other queues then.
/// <doc:PublishingFromServices> has more.
public struct Partitions: Hashable, Sendable {
    /// Who says in which partition a key is.
    public struct Hashing: Hashable, Sendable {
        private enum Value { case broker, publisher }

        private let value: Value

        /// The broker, by an exchange of type `x-consistent-hash`, whose routing key is the key. It needs the plugin
        /// `rabbitmq_consistent_hash_exchange`; publishers in any language are in step.
        public static let byBroker = Hashing(value: .broker)

        /// The publisher, by a direct exchange whose routing key is the partition's number. It needs no plugin.
        ///
        /// The number is the FNV-1a hash of the key's UTF-8, of 64 bits, modulo the number of partitions.
        public static let byPublisher = Hashing(value: .publisher)
    }

    /// The name of the exchange, and of the queues with a dot and the partition's number behind it: `orders.0`.
    public let name: String

    /// How many partitions there are, from 1 to 1,000.
    public let count: Int

    /// Who says in which partition a key is.
    public let hashing: Hashing

    /// What kind of queues they are, and their limits: quorum queues with a single active consumer, whose leaders are spread over
    /// the nodes, unless it is said otherwise.
    public let arguments: QueueArguments

    /// Describes partitions.
    ///
    /// - Parameters:
    ///   - name: ``name``.
    ///   - count: ``count``; beyond its range it is the nearest.
    ///   - hashing: ``hashing``; ``Hashing/byBroker`` by default.
    ///   - arguments: ``arguments``.
    public init(
        _ name: String,
        count: Int,
        hashing: Hashing = .byBroker,
        arguments: QueueArguments = QueueArguments()
    ) {
        self.name = name
        self.count = min(max(count, 1), 1000)
        self.hashing = hashing
        var arguments = arguments
        arguments.type = arguments.type ?? .quorum
        if arguments.type != .stream { arguments.singleActiveConsumer = arguments.singleActiveConsumer ?? true }
        if arguments.type != .classic { arguments.leaderLocator = arguments.leaderLocator ?? .balanced }
        self.arguments = arguments
    }

    /// The name of a partition's queue.
    ///
    /// - Parameter partition: Its number, from 0.
    public func queueName(_ partition: Int) -> String { "\(name).\(partition)" }

    /// The exchange, the queues and the bindings.
    public var topology: Topology {
        let isOfBroker = hashing == .byBroker
        return Topology(
            exchanges: [Topology.Exchange(name, type: isOfBroker ? .consistentHash : .direct)],
            queues: (0..<count).map { Topology.Queue(queueName($0), arguments: arguments) },
            bindings: (0..<count).map { partition in
                // To a hashing exchange, the key of a binding is the queue's weight.
                Topology.Binding(queue: queueName(partition), to: name, routingKey: isOfBroker ? "1" : "\(partition)")
            }
        )
    }

    /// In which partition a key is with ``Hashing/byPublisher``.
    ///
    /// - Parameter key: The key.
    /// - Returns: The partition's number, from 0.
    public func partition(of key: String) -> Int { Int(Self.hash(key) % UInt64(count)) }

    /// FNV-1a of 64 bits.
    static func hash(_ key: String) -> UInt64 {
        key.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
    }

    /// The routing key with which a message of this key is published.
    func routingKey(_ key: String) -> String { hashing == .byBroker ? key : "\(partition(of: key))" }
}
