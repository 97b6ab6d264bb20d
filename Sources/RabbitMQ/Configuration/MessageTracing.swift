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
    /// How long it took from publishing a message until the broker's word on it was there.
    func published(to exchange: String, took nanoseconds: UInt64, _ error: (any Error)?)

    /// How long a handler took.
    func processed(_ delivery: ObservedDelivery, took nanoseconds: UInt64, _ error: (any Error)?)
}

/// What is told of a delivery to those who watch.
struct ObservedDelivery {
    let message: Message
    let queue: String
    let exchange: String
    let routingKey: String
    let deliveryTag: UInt64
}
