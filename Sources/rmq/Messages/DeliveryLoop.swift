#if Tool
internal import RabbitMQ
internal import Synchronization

/// Takes what comes to a consumer until there are enough, nothing comes any more, or somebody wants to stop.
struct DeliveryLoop {
    /// The most messages; nil for no limit.
    let count: Int?
    /// How long nothing may come; nil for as long as it takes.
    let idle: Duration?
    let stop: Stop

    /// Since when nothing has come; nil while a message is handled: a reader that is slow to take it is no idleness.
    private final class Clock: Sendable {
        let quietSince = Mutex<ContinuousClock.Instant?>(ContinuousClock.now)
    }

    /// Runs it.
    ///
    /// - Returns: How many messages came.
    func run(_ deliveries: Deliveries, _ body: (IncomingMessage) async throws -> Void) async throws -> Int {
        let clock = Clock()
        let (idle, stop, consumer) = (idle, stop, deliveries.consumer)
        let watch = Task {
            while true {
                try await Task.sleep(for: .milliseconds(50))
                var isIdle = false
                if let idle, let since = clock.quietSince.withLock({ $0 }) {
                    isIdle = ContinuousClock.now - since > idle
                }
                if isIdle || stop.isRequested {
                    // The loop ends behind what has come.
                    try? await consumer.cancel()
                    return
                }
            }
        }
        defer { watch.cancel() }
        var taken = 0
        for try await message in deliveries {
            // What comes after it goes back.
            if stop.isRequested { break }
            clock.quietSince.withLock { $0 = nil }
            try await body(message)
            clock.quietSince.withLock { $0 = ContinuousClock.now }
            taken += 1
            if taken == count { break }
        }
        return taken
    }
}
#endif
