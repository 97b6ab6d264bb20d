extension Queue {
    /// Deletes the queue. Every later use of it throws ``AMQPError/Code/deleted``.
    ///
    /// By default only if it has no consumers and no message is ready in it. Classic queues have these conditions at the
    /// broker. Quorum queues and streams have none, and one that is asked for all the same costs the connection: there the
    /// queue is looked up before, so that a consumer or a message that comes between is not seen; of a stream, which keeps
    /// its messages, only consumers count. So it is with a queue whose type isn't known, on RabbitMQ 4.0 and later.
    ///
    /// - Parameters:
    ///   - ifUnused: Whether to do so only if it has no consumers: true by default, as far as told above; true says that
    ///     the broker must see to it.
    ///   - ifEmpty: Whether to do so only if no messages are ready in it, likewise.
    ///   - noWait: Whether not to wait for the broker's answer. An error then closes the channel later.
    /// - Returns: How many messages were in it; 0 with `noWait`.
    /// - Throws: ``AMQPError/Code/preconditionFailed`` if it is in use or not empty, which closes the channel where it is
    ///   the broker that says so; ``AMQPError/Code/invalidArgument`` before anything is sent for a quorum queue or a stream
    ///   with either condition as true; other ``AMQPError``s; `CancellationError`.
    @discardableResult
    public func delete(ifUnused: Bool? = nil, ifEmpty: Bool? = nil, noWait: Bool = false) async throws -> Int {
        try requireNotDeleted()
        try StreamRules.checkDelete(type: type, queue: name, ifUnused: ifUnused == true, ifEmpty: ifEmpty == true)
        if mayLackConditions {
            try await requireUnneeded(ifUnused: ifUnused == nil, ifEmpty: ifEmpty == nil && type != .stream)
            return try await delete(unused: ifUnused ?? false, empty: ifEmpty ?? false, noWait: noWait)
        }
        return try await delete(unused: ifUnused ?? true, empty: ifEmpty ?? true, noWait: noWait)
    }

    private func delete(unused: Bool, empty: Bool, noWait: Bool) async throws -> Int {
        let reply = try await channel.request(
            .queueDelete(name: name, ifUnused: unused, ifEmpty: empty, noWait: noWait),
            noWait: noWait
        )
        markDeleted()
        channel.connection.topology.removeQueue(name)
        switch reply {
        case .queueDeleteOk(let count): return Int(count)
        case nil: return 0
        default: throw ChannelSession.wrongAnswer
        }
    }

    /// Whether the queue is, or may be, of a type that knows no conditions.
    private var mayLackConditions: Bool {
        if let type { return type == .quorum || type == .stream }
        // What a classic queue alone can be.
        guard durable, !exclusive, !autoDelete else { return false }
        return channel.connection.parameters.version?.isAtLeast(4, 0) == true
    }

    private func requireUnneeded(ifUnused: Bool, ifEmpty: Bool) async throws {
        guard ifUnused || ifEmpty else { return }
        let reply = try await channel.request(
            .queueDeclare(Topology.Queue(name).declaration(passive: true)),
            noWait: false
        )
        guard case .queueDeclareOk(let found) = reply else {
            throw ChannelSession.wrongAnswer
        }
        if ifUnused, found.consumerCount > 0 {
            throw AMQPError(.preconditionFailed, "the queue \(name) has \(found.consumerCount) consumers")
                .sparingChannel
        }
        if ifEmpty, found.messageCount > 0 {
            throw AMQPError(.preconditionFailed, "the queue \(name) has \(found.messageCount) messages")
                .sparingChannel
        }
    }
}
