#if Tool
internal import RabbitMQ
internal import Synchronization

/// Takes messages out of a queue, so many at a time, which then wait on its channel to be settled.
struct MessageTaker {
    let queue: Queue
    let stop: Stop
    /// Whether consumers take them, a new one each time: what stays unsettled would use up the prefetch of a single one.
    /// Otherwise each is asked for, which is dearer: a quorum queue writes every question down.
    private var consumes: Bool
    /// The channel's limit for the next consumer; 0 if it was never set.
    private var prefetch = 0

    /// - Parameter mayConsume: Whether consumers may take them, if that does not end the queue.
    init(queue: Queue, mayConsume: Bool, stop: Stop) async throws {
        self.queue = queue
        self.stop = stop
        if mayConsume {
            consumes = try await Self.outlivesConsumers(queue)
        } else {
            consumes = false
        }
    }

    /// Takes messages, in their order.
    ///
    /// - Returns: So many, or fewer if there are no more for this command, or it is to stop.
    mutating func take(_ count: Int) async throws -> [IncomingMessage] {
        // A stream refuses to be asked, which tells more than a consumer that gets nothing.
        guard consumes, count > 1 else { return try await ask(for: count) }
        let messages = try await consume(count)
        guard messages.isEmpty, !stop.isRequested else { return messages }
        // Another consumer comes first, or is the only active one: who asks is served all the same, or told why not.
        consumes = false
        return try await ask(for: count)
    }

    /// Asks for messages, many at a time: one after the other would take a round trip each.
    private func ask(for count: Int) async throws -> [IncomingMessage] {
        if count == 1 { return [try await queue.get()].compactMap(\.self) }
        let queue = queue
        return try await withThrowingTaskGroup(of: IncomingMessage?.self) { group in
            for _ in 0..<count { group.addTask { try await queue.get() } }
            var messages: [IncomingMessage] = []
            for try await message in group {
                if let message { messages.append(message) }
            }
            return messages.sorted { $0.deliveryTag < $1.deliveryTag }
        }
    }

    /// How many messages have come to a consumer.
    private final class Arrivals: Sendable {
        let count = Atomic<Int>(0)
    }

    /// Has a consumer take them that gets no more than those, and is gone before the first is settled: the broker would
    /// send it another one for each.
    private mutating func consume(_ count: Int) async throws -> [IncomingMessage] {
        if prefetch != count {
            try await queue.channel.setQos(prefetchCount: UInt16(clamping: count))
            prefetch = count
        }
        let deliveries = try await queue.consume()
        let arrivals = Arrivals()
        let watcher = watch(deliveries.consumer, arrivals)
        defer { watcher.cancel() }
        var messages: [IncomingMessage] = []
        for try await message in deliveries {
            messages.append(message)
            arrivals.count.store(messages.count, ordering: .relaxed)
            if messages.count == count { try await deliveries.consumer.cancel() }
        }
        return messages
    }

    /// Cancels a consumer to which nothing comes: because the queue is empty, or because others get it all.
    private func watch(_ consumer: Consumer, _ arrivals: Arrivals) -> Task<Void, any Error> {
        let (queue, stop) = (queue, stop)
        return Task {
            var (last, quiet, empty) = (0, 0, 0)
            while true {
                try await Task.sleep(for: .milliseconds(50))
                let now = arrivals.count.load(ordering: .relaxed)
                quiet = now == last ? quiet + 1 : 0
                last = now
                // What was ready may be on its way here: once is not enough.
                var isEmpty = false
                if quiet > 0 {
                    isEmpty = try await queue.channel.declareQueue(queue.name, passive: true).messageCount == 0
                }
                empty = isEmpty ? empty + 1 : 0
                guard empty == 5 || quiet == 100 || stop.isRequested else { continue }
                try await consumer.cancel()
                return
            }
        }
    }

    /// Whether a queue stays when its last consumer goes. If that can't be told, it is taken not to.
    ///
    /// AMQP has no question for it: a declaration with other flags is refused, with the first flag that differs.
    private static func outlivesConsumers(_ queue: Queue) async throws -> Bool {
        // It goes with somebody else's then, as it would without this command.
        if queue.consumerCount > 0 { return true }
        // No queue has this, nor can be made with it, should this one be gone by now.
        let impossible = QueueArguments(custom: ["x-expires": .string("never")])
        for durable in [true, false] {
            let channel = try await queue.channel.connection.openChannel()
            do {
                try await channel.declareQueue(queue.name, durable: durable, arguments: impossible)
                await channel.close()
                return false
            } catch let error as AMQPError where error.code == .preconditionFailed {
                guard error.message.contains("inequivalent arg"), !error.message.contains("'auto_delete'") else {
                    return false
                }
                if !error.message.contains("'durable'") { return true }
            } catch let error as AMQPError where !error.isConnectionFatal {
                // One may not declare it, or it has a name that is the broker's own.
                return false
            }
        }
        return false
    }
}
#endif
