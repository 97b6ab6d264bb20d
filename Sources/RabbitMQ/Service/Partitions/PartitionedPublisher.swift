/// Publishes to ``Partitions``, over several connections if there are several: what is published with one key is in the order of the
/// calls, and always over the same connection.
///
/// To spread over a cluster, give it connections to different nodes. Made by ``Partitions/openPublisher(on:_:)``.
public struct PartitionedPublisher: Sendable {
    /// Where it publishes to.
    public let partitions: Partitions

    /// One for each connection.
    public let publishers: [Publisher]

    /// The publisher for a key, always the same.
    private func publisher(_ key: String) -> Publisher {
        // Not the partition's number: then all keys of one partition would have one connection, and a few partitions few.
        let hash = Partitions.hash(key)
        return publishers[Int((hash ^ (hash >> 32)) % UInt64(publishers.count))]
    }

    /// Publishes a message, and returns once the broker has confirmed it.
    ///
    /// - Parameters:
    ///   - message: What to publish.
    ///   - key: What it belongs to: messages of one key are in one partition. At most 255 bytes of UTF-8.
    ///   - timeout: How long it may take; what the options say by default.
    /// - Throws: What ``Publisher/publish(_:to:routingKey:mandatory:timeout:)`` throws.
    public func publish(_ message: Message, key: String, timeout: Duration? = nil) async throws {
        try await publisher(key)
            .publish(message, to: partitions.name, routingKey: partitions.routingKey(key), timeout: timeout)
    }

    /// Hands a message over to be sent, and returns its outcome to wait for.
    ///
    /// - Parameters:
    ///   - message: What to publish.
    ///   - key: What it belongs to. At most 255 bytes of UTF-8.
    /// - Returns: The outcome to wait for.
    /// - Throws: What ``Publisher/send(_:to:routingKey:mandatory:)`` throws.
    public func send(_ message: Message, key: String) async throws -> PublishReceipt {
        try await publisher(key).send(message, to: partitions.name, routingKey: partitions.routingKey(key))
    }

    /// Waits until everything that was published so far has its outcome.
    ///
    /// - Parameter timeout: How long to wait, for all of it together.
    /// - Throws: What ``Publisher/drain(within:)`` throws.
    public func drain(within timeout: Duration) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for publisher in publishers { group.addTask { try await publisher.drain(within: timeout) } }
            try await group.waitForAll()
        }
    }

    /// Closes all publishers, as ``Publisher/close(within:)`` says.
    ///
    /// - Parameter timeout: How long to wait; 10 s by default.
    /// - Returns: Whether everything had its outcome.
    @discardableResult
    public func close(within timeout: Duration = .seconds(10)) async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            for publisher in publishers { group.addTask { await publisher.close(within: timeout) } }
            return await group.reduce(true) { $0 && $1 }
        }
    }
}

extension Partitions {
    /// Opens a publisher on each of several connections.
    ///
    /// - Parameters:
    ///   - connections: At least one.
    ///   - options: What each publisher does by itself.
    /// - Throws: ``AMQPError/Code/invalidArgument`` without any connection; what ``Connection/openPublisher(_:)`` throws.
    public func openPublisher(
        on connections: [Connection],
        _ options: Publisher.Options = Publisher.Options()
    ) async throws -> PartitionedPublisher {
        guard !connections.isEmpty else { throw AMQPError(.invalidArgument, "a publisher needs a connection") }
        var publishers: [Publisher] = []
        for connection in connections { publishers.append(try await connection.openPublisher(options)) }
        return PartitionedPublisher(partitions: self, publishers: publishers)
    }

    /// Consumes all partitions until the task is cancelled, each in order, and settles each message by how the handler ends.
    ///
    /// Any number of processes may do so: of each queue the broker gives the messages to one of them, and to the next when that is
    /// gone. Each partition has a channel of its own, and one handler at a time.
    ///
    /// - Parameters:
    ///   - connection: The connection to consume on.
    ///   - prefetchCount: How many messages of each partition may be on their way, at least 1; 100 by default.
    ///   - policy: What becomes of a message when the handler throws; by default it is delivered again once, then
    ///     dead-lettered. Those that are on their way by then overtake it: none with a `prefetchCount` of 1.
    ///   - handler: What to do with a message of the partition with this number.
    /// - Throws: ``AMQPError/Code/invalidArgument``; what ``Queue/consume(_:)`` throws; why no more messages come from one of the
    ///   partitions, which ends the others and cancels their handlers; `CancellationError`.
    public func process(
        on connection: Connection,
        prefetchCount: UInt16 = 100,
        onFailure policy: FailurePolicy = .requeueOnce,
        _ handler: @escaping @Sendable (_ message: IncomingMessage, _ partition: Int) async throws -> Void
    ) async throws {
        guard prefetchCount > 0 else {
            throw AMQPError(.invalidArgument, "prefetchCount is 0, where all of a partition would be on its way")
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for partition in 0..<count {
                group.addTask {
                    try await connection.withChannel { channel in
                        // One of many that begin may be on its way when the connection is lost, which is no reason to end.
                        let deliveries = try await connection.core.repeating {
                            try await channel.setQos(prefetchCount: prefetchCount)
                            return try await channel.queue(queueName(partition)).consume()
                        }
                        try await deliveries.process(maxConcurrency: 1, onFailure: policy) { message in
                            try await handler(message, partition)
                        }
                    }
                }
            }
            // The first that ends with an error ends the others: leaving the group so cancels them, where `waitForAll` would
            // wait for them first, and they go on for ever.
            while try await group.next() != nil {}
        }
    }
}
