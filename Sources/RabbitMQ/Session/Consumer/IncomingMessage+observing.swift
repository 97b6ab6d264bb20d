/// Handlers run so that those who watch see it, if anybody does.
extension IncomingMessage {
    /// Runs what handles the message.
    @inline(__always)
    func observed<Result>(_ handle: (IncomingMessage) async throws -> Result) async throws -> Result {
        let link = source.session.link
        guard link.isObserved else { return try await handle(self) }
        return try await observed(by: link.configuration.tracing, source.durationRecorder, handle)
    }

    private func observed<Result>(
        by tracing: (any MessageTracing)?,
        _ recorder: DurationRecorder?,
        _ handle: (IncomingMessage) async throws -> Result
    ) async throws -> Result {
        let mark = Observation.Mark(session: ObjectIdentifier(source.session), deliveryTag: deliveryTag)
        // Who processes a message within its callback handles it once, not twice.
        if Observation.current == mark { return try await handle(self) }
        return try await Observation.$current.withValue(mark) { try await shown(to: tracing, recorder, handle) }
    }

    private func shown<Result>(
        to tracing: (any MessageTracing)?,
        _ recorder: DurationRecorder?,
        _ handle: (IncomingMessage) async throws -> Result
    ) async throws -> Result {
        let start = recorder == nil ? 0 : MonotonicTime.now
        do {
            let result =
                if let tracing {
                    try await tracing.processing(observedDelivery) { try await handle(self) }
                } else {
                    try await handle(self)
                }
            recorder?.took(since: start, nil)
            return result
        } catch {
            recorder?.took(since: start, error)
            throw error
        }
    }

    /// A copy of what is to be seen, which only a span needs.
    private var observedDelivery: ObservedDelivery {
        ObservedDelivery(
            message: message,
            queue: source.queue,
            exchange: exchangeName,
            routingKey: routingKey,
            deliveryTag: deliveryTag
        )
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
