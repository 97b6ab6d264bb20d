/// Makes spans of what is published and handled. The trait `DistributedTracingSupport` has the one there is; here so that
/// what is below can call it without knowing.
protocol MessageTracing: Sendable {
    /// Runs what publishes a message, which gets the span's context into its headers.
    func publishing<Result>(
        _ message: Message,
        exchange: String,
        routingKey: String,
        _ publish: (Message) async throws -> Result
    ) async throws -> Result

    /// Runs what handles a message, within a span that follows on the one that its headers tell of.
    func processing<Result>(
        _ delivery: ObservedDelivery,
        _ handle: () async throws -> Result
    ) async throws -> Result
}

/// Takes how long things took. The trait `MetricsSupport` has the one there is.
protocol DurationMeter: Sendable {
    /// What takes how long it takes from publishing a message to an exchange until the broker's word on it is there.
    func publishing(to exchange: String) -> DurationRecorder

    /// What takes how long handlers of a queue's messages take.
    func processing(of queue: String) -> DurationRecorder
}

/// Takes how long things of one kind took. Who has things of one kind keeps it: to find it for each message, by the names of
/// its kind and under a lock that all share, would cost more than to look at the clock.
final class DurationRecorder: Sendable {
    private let take: @Sendable (_ nanoseconds: UInt64, _ error: (any Error)?) -> Void

    init(_ take: @escaping @Sendable (_ nanoseconds: UInt64, _ error: (any Error)?) -> Void) { self.take = take }

    /// Takes how long something took.
    func took(_ nanoseconds: UInt64, _ error: (any Error)?) { take(nanoseconds, error) }

    /// Takes how long something took that has just ended.
    ///
    /// - Parameters:
    ///   - start: When it began, in nanoseconds of ``MonotonicTime``.
    ///   - error: What it failed with; nil if it did not.
    func took(since start: UInt64, _ error: (any Error)?) { took(MonotonicTime.now &- start, error) }
}

/// What is told of a delivery to those who watch.
struct ObservedDelivery {
    let message: Message
    let queue: String
    let exchange: String
    let routingKey: String
    let deliveryTag: UInt64
}
