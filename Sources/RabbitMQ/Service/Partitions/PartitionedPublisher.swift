/// Publishes to ``Partitions``, over several connections if there are several: what is published with one key is in the order
/// of the calls, and always over the same connection.
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
}
