#if Tool
internal import RabbitMQ

/// What was taken from a queue and goes back into it.
struct Leftovers {
    private var last: IncomingMessage?
    private var count = 0

    mutating func add(_ message: IncomingMessage) {
        last = message
        count += 1
    }

    /// Puts them back, all at once; the broker does the same if the connection ends before.
    ///
    /// Waits until they are there again, for two seconds at the most: a quorum queue takes its time, and who looks next
    /// would not see them.
    func putBack(into queue: Queue) async throws {
        guard let last else { return }
        // What else is ready is not what was put back.
        let others = try await queue.channel.declareQueue(queue.name, passive: true).messageCount
        try last.nack(requeue: true, multiple: true)
        let end = ContinuousClock.now + .seconds(2)
        while .now < end {
            let now = try await queue.channel.declareQueue(queue.name, passive: true)
            if now.messageCount >= others + count || now.consumerCount > 0 { return }
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}
#endif
