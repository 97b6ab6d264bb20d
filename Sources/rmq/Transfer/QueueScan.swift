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
    }

    let queue: String
    let filter: MessageFilter
    /// The most messages that match.
    var limit = Int.max
    /// The most messages that are taken at once.
    var mostAtOnce = 100

    /// What is taken at once is to take no more memory than this, as far as the last ones tell.
    private static let bytesAtOnce = 16 * 1024 * 1024

    init(queue: String, filter: MessageFilter, limit: Int? = nil, mostAtOnce: Int = 100) {
        self.queue = queue
        self.filter = filter
        self.limit = limit ?? .max
        self.mostAtOnce = mostAtOnce
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
        while count.lookedAt < most, count.matched < limit, !stop.isRequested {
            let wanted = min(size, mostAtOnce, most - count.lookedAt, limit - count.matched)
            let messages = try await Self.take(wanted, from: queue)
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
        await channel.close()
        count.ready = max(count.ready, count.lookedAt)
        return count
    }

    /// Asks for messages, many at a time: one after the other would take a round trip each.
    private static func take(_ count: Int, from queue: Queue) async throws -> [IncomingMessage] {
        if count == 1 { return [try await queue.get()].compactMap(\.self) }
        return try await withThrowingTaskGroup(of: IncomingMessage?.self) { group in
            for _ in 0..<count { group.addTask { try await queue.get() } }
            var messages: [IncomingMessage] = []
            for try await message in group {
                if let message { messages.append(message) }
            }
            return messages.sorted { $0.deliveryTag < $1.deliveryTag }
        }
    }
}
#endif
