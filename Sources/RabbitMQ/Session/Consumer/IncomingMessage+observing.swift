/// Handlers run so that those who watch see it, if anybody does.
extension IncomingMessage {
    /// Runs what handles the message.
    @inline(__always)
    func observed<Result>(_ handle: (IncomingMessage) async throws -> Result) async throws -> Result {
        let link = source.session.link
        guard link.isObserved else { return try await handle(self) }
        return try await observed(by: link.configuration.tracing, link.configuration.meter, handle)
    }

    private func observed<Result>(
        by tracing: (any MessageTracing)?,
        _ meter: (any DurationMeter)?,
        _ handle: (IncomingMessage) async throws -> Result
    ) async throws -> Result {
        let mark = Observation.Mark(session: ObjectIdentifier(source.session), deliveryTag: deliveryTag)
        // Who processes a message within its callback handles it once, not twice.
        if Observation.current == mark { return try await handle(self) }
        return try await Observation.$current.withValue(mark) { try await shown(to: tracing, meter, handle) }
    }

    private func shown<Result>(
        to tracing: (any MessageTracing)?,
        _ meter: (any DurationMeter)?,
        _ handle: (IncomingMessage) async throws -> Result
    ) async throws -> Result {
        let delivery = ObservedDelivery(
            message: message,
            queue: source.queue,
            exchange: exchangeName,
            routingKey: routingKey,
            deliveryTag: deliveryTag
        )
        let start = MonotonicTime.now
        do {
            let result =
                if let tracing {
                    try await tracing.processing(delivery) { try await handle(self) }
                } else {
                    try await handle(self)
                }
            meter?.processed(delivery, took: MonotonicTime.now &- start, nil)
            return result
        } catch {
            meter?.processed(delivery, took: MonotonicTime.now &- start, error)
            throw error
        }
    }
}

/// What is being handled in this task, seen by those who watch.
private enum Observation {
    struct Mark: Sendable, Equatable {
        let session: ObjectIdentifier
        let deliveryTag: UInt64
    }

    @TaskLocal static var current: Mark?
}
