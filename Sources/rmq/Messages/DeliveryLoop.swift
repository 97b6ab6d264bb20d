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

    /// When the last message came.
    private final class Clock: Sendable {
        let last = Mutex(ContinuousClock.now)
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
                let quiet = ContinuousClock.now - clock.last.withLock { $0 }
                let isIdle = idle.map { quiet > $0 } ?? false
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
            try await body(message)
            clock.last.withLock { $0 = .now }
            taken += 1
            if taken == count { break }
        }
        return taken
    }
}
#endif
