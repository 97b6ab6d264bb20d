/// Where the messages of one queue wait until they are tried again, and where they are parked: queues whose messages expire and
/// then go back to the queue from which they came. A value.
struct RetryRing: Hashable, Sendable {
    /// The queue that is consumed.
    let queue: String
    /// Where messages are parked.
    let parkingQueue: String
    let queueType: QueueType
    /// How long the queues let messages wait, in milliseconds, the shortest first.
    let levels: [Int64]

    /// - Parameter queueType: The type of the queue that is consumed, nil if it was declared with none.
    init(_ policy: RetryPolicy, queue: String, queueType: QueueType?) {
        self.queue = queue
        parkingQueue = policy.parkingQueue ?? "\(queue).parked"
        self.queueType = policy.queueType ?? queueType ?? .classic
        levels = policy.levels
    }

    /// The queue in which messages wait for so long.
    func waitingQueue(_ milliseconds: Int64) -> String { "\(queue).retry.\(milliseconds)" }

    /// A message's way through the ring.
    struct Route: Hashable, Sendable {
        let queue: String
        /// When it leaves that queue earlier than others, in milliseconds; nil if it does not.
        var expiration: Int64?
        /// How long it has to wait after that, in milliseconds.
        var rest: Int64 = 0
    }

    /// The way of a message that is to wait for so many milliseconds; with none, to the queue itself.
    func route(_ milliseconds: Int64) -> Route {
        guard milliseconds > 0, let longest = levels.last else { return Route(queue: queue) }
        guard let level = levels.first(where: { $0 >= milliseconds }) else {
            return Route(queue: waitingQueue(longest), rest: milliseconds - longest)
        }
        return Route(queue: waitingQueue(level), expiration: level > milliseconds ? milliseconds : nil)
    }

    /// The ring's queues, to be declared.
    var topology: Topology {
        Topology(
            queues: levels.map { level in
                Topology.Queue(waitingQueue(level), arguments: arguments(level))
            } + [Topology.Queue(parkingQueue, arguments: QueueArguments(type: queueType))]
        )
    }

    private func arguments(_ level: Int64) -> QueueArguments {
        let isQuorum = queueType == .quorum
        return QueueArguments(
            type: queueType,
            // A quorum queue keeps its messages until they have arrived, only if it refuses what it can't hold.
            overflow: isQuorum ? .rejectPublish : nil,
            messageTTL: .milliseconds(level),
            deadLetterExchange: "",
            deadLetterRoutingKey: queue,
            deadLetterStrategy: isQuorum ? .atLeastOnce : nil
        )
    }
}

extension RetryPolicy {
    /// What the policy needs for a queue: the queues in which its messages wait, named after it and the delay in
    /// milliseconds (`orders.retry.1000`), and the one where they are parked (`orders.parked`).
    ///
    /// Processing declares it; here it is to be planned, exported, or applied by somebody else:
    ///
    /// ```swift
    /// let orders = Topology.Queue("orders")
    /// var topology = Topology(queues: [orders])
    /// topology.merge(policy.topology(for: orders))
    /// print(try await topology.plan(on: connection))
    /// ```
    ///
    /// - Parameter queue: The queue that is consumed, which is not part of what is given.
    public func topology(for queue: Topology.Queue) -> Topology {
        RetryRing(self, queue: queue.name, queueType: queue.arguments.type).topology
    }
}

extension Topology {
    /// Adds what another topology describes, and this one does not describe in the same way already.
    ///
    /// - Parameter other: The other one.
    public mutating func merge(_ other: Topology) {
        exchanges += other.exchanges.filter { !exchanges.contains($0) }
        queues += other.queues.filter { !queues.contains($0) }
        bindings += other.bindings.filter { !bindings.contains($0) }
    }
}
