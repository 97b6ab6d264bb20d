/// Handlers run so that those who watch see it, if anybody does.
extension IncomingMessage {
    /// Runs what handles the message, within ``Consumer/forEachMessage(limit:within:_:)``: the ``HandlingTask`` knows that
    /// it is being handled, so that nothing has to be set for each message.
    @inline(__always)
    func observed<Result>(_ handle: (IncomingMessage) async throws -> Result) async throws -> Result {
        guard source.session.link.isObserved else { return try await handle(self) }
        return try await shown(handle)
    }

    /// The same for whoever has the message, perhaps within what handles it: that counts once, not twice.
    @inline(__always)
    func observedOnce<Result>(_ handle: (IncomingMessage) async throws -> Result) async throws -> Result {
        guard source.session.link.isObserved else { return try await handle(self) }
        return try await shownOnce(handle)
    }

    private func shownOnce<Result>(_ handle: (IncomingMessage) async throws -> Result) async throws -> Result {
        if HandlingTask.innermost?.handles(self) == true { return try await handle(self) }
        let mark = Observation.Mark(session: ObjectIdentifier(source.session), deliveryTag: deliveryTag)
        if Observation.current == mark { return try await handle(self) }
        return try await Observation.$current.withValue(mark) { try await shown(handle) }
    }

    /// Inlined: a call that can be suspended was a sixth of what taking a handler's time cost, by `perf`.
    @inline(__always)
    private func shown<Result>(_ handle: (IncomingMessage) async throws -> Result) async throws -> Result {
        if source.session.link.isTraced { return try await traced(handle) }
        return try await timed(handle)
    }

    private func traced<Result>(_ handle: (IncomingMessage) async throws -> Result) async throws -> Result {
        guard let tracing = source.session.link.configuration.tracing else { return try await timed(handle) }
        return try await timed { _ in try await tracing.processing(observedDelivery) { try await handle(self) } }
    }

    @inline(__always)
    private func timed<Result>(_ handle: (IncomingMessage) async throws -> Result) async throws -> Result {
        guard let recorder = source.durationRecorder else { return try await handle(self) }
        let start = MonotonicTime.now
        do {
            let result = try await handle(self)
            recorder.took(since: start, nil)
            return result
        } catch {
            recorder.took(since: start, error)
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

/// What is being handled in this task, seen by those who watch, where that is not a ``HandlingTask``'s.
private enum Observation {
    struct Mark: Sendable, Equatable {
        let session: ObjectIdentifier
        let deliveryTag: UInt64
    }

    @TaskLocal static var current: Mark?
}
