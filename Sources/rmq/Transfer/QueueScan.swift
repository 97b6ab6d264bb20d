#if Tool
internal import RabbitMQ

/// Looks through what is ready in a queue when it begins, batch by batch. What isn't settled goes back at the end.
struct QueueScan {
    /// How far it has come.
    struct Count {
        /// How many messages were ready at the beginning.
        var ready = 0
        var lookedAt = 0
        var matched = 0
        /// How many were ready, and were gone when it came to them.
        var missed = 0
    }

    let queue: String
    let filter: MessageFilter
    /// The most messages that match.
    let limit: Int
    /// The most messages that are taken at once.
    let mostAtOnce: Int
    /// Whether consumers may take them: where messages are to leave the queue. Who only looks asks for each.
    let mayConsume: Bool

    /// The most messages that are taken, and so settled, at once.
    ///
    /// A channel of RabbitMQ sends a quorum queue 32 settlements; further ones wait in the channel until the queue has
    /// written those down, and are lost if it closes before. To take the next messages waits for that too: so none waits.
    static let mostSettledAtOnce = 30

    /// What is taken at once is to take no more memory than this, as far as the last ones tell.
    private static let bytesAtOnce = 16 * 1024 * 1024

    init(
        queue: String,
        filter: MessageFilter,
        limit: Int? = nil,
        mostAtOnce: Int = QueueScan.mostSettledAtOnce,
        mayConsume: Bool = false
    ) {
        self.queue = queue
        self.filter = filter
        self.limit = limit ?? .max
        self.mostAtOnce = mostAtOnce
        self.mayConsume = mayConsume
    }

    /// Looks through the queue.
    ///
    /// - Parameters:
    ///   - connection: Gets a channel for it.
    ///   - stop: When it is requested, no more messages are taken.
    ///   - body: Gets those that match, in their order, and returns those that it has not settled.
    func run(
        on connection: Connection,
        stop: Stop,
        _ body: (_ matching: [IncomingMessage], _ count: Count) async throws -> [IncomingMessage]
    ) async throws -> Count {
        let channel = try await connection.openChannel()
        let queue = try await channel.declareQueue(queue, passive: true)
        var count = Count(ready: queue.messageCount)
        var leftovers = Leftovers()
        var size = 1
        // A stream says that nothing is ready, and refuses the first look: that is told, and not that it is empty.
        let most = max(1, count.ready)
        var taker = try await MessageTaker(queue: queue, mayConsume: mayConsume && min(most, limit) > 1, stop: stop)
        while count.lookedAt < most, count.matched < limit, !stop.isRequested {
            let wanted = min(size, mostAtOnce, most - count.lookedAt, limit - count.matched)
            let messages = try await taker.take(wanted)
            count.lookedAt += messages.count
            let matching = messages.filter { filter.matches($0.message, routingKey: $0.routingKey) }
            count.matched += matching.count
            let left = try await body(matching, count)
            let settled = Set(matching.map(\.deliveryTag)).subtracting(left.map(\.deliveryTag))
            for message in messages where !settled.contains(message.deliveryTag) { leftovers.add(message) }
            if messages.count < wanted { break }
            let largest = max(1, messages.lazy.map(\.body.count).max() ?? 1)
            size = min(size * 2, max(1, Self.bytesAtOnce / largest))
        }
        try await leftovers.putBack(into: queue)
        do {
            // Behind the acknowledgements: when the queue has answered, it has them.
            try await channel.declareQueue(self.queue, passive: true)
        } catch AMQPError.Code.notFound {
            // It went with its last consumer.
        }
        await channel.close()
        if count.matched < limit, !stop.isRequested { count.missed = max(0, count.ready - count.lookedAt) }
        count.ready = max(count.ready, count.lookedAt)
        return count
    }
}
#endif
