internal import Synchronization

/// What the channel is told about itself, which is told every session.
extension ChannelCore {
    /// Limits what is delivered and not settled.
    func limit(_ prefetch: ChannelSetup.Prefetch, global: Bool) async throws {
        let method = ChannelSetup.method(prefetch, global: global)
        try await tell(method) { $0.limit(prefetch, global: global) }
    }

    /// Has the broker confirm what is published.
    func selectConfirms(limit: Int) async throws {
        if state.withLock({ $0.setup.confirmLimit }) != nil { return }
        let start = MonotonicTime.now
        let (call, session) = try await send { session throws(AMQPError) in
            try session.beginConfirms(limit: limit) { note { if $0.confirmLimit == nil { $0.confirmLimit = limit } } }
        }
        _ = try await session.answer(to: call, since: start)
    }

    /// Makes the channel transactional.
    func selectTransactions() async throws { try await tell(.txSelect) { $0.isTransactional = true } }

    private func tell(_ method: ClientMethod, _ change: (inout ChannelSetup) -> Void) async throws {
        // Whether or not anybody waits for the answer, the broker has it, and every session that follows is told.
        let start = MonotonicTime.now
        let (call, session) = try await send { session throws(AMQPError) in
            try session.begin(method, register: { (_) throws(AMQPError) in note(change) })
        }
        _ = try await session.answer(to: call, since: start)
    }

    private func note(_ change: (inout ChannelSetup) -> Void) { state.withLock { change(&$0.setup) } }

    /// Begins a consumer.
    func begin(_ subscription: Subscription) async throws {
        let (consumer, tag) = (subscription.consumer, subscription.consumer.tag)
        let start = MonotonicTime.now
        let (call, session) = try await send { session throws(AMQPError) in
            // One that the broker has cancelled comes back with its own: of two, the second would be refused on every session.
            guard !state.withLock({ $0.subscriptions.contains { $0.consumer.tag == tag } }) else {
                throw AMQPError(.invalidArgument, "the channel has a consumer with the tag \(tag) already")
            }
            let queue = subscription.queue.name
            var source = consumer.source
            if source.session !== session {
                source = subscription.options.makeSource(session, queue)
                consumer.resume(from: source)
            }
            // From here on it is begun anew on every session that follows this one.
            return try session.begin(
                subscription.method(of: source, isFirst: true),
                consumer: consumer,
                register: { (_) throws(AMQPError) in state.withLock { $0.subscriptions.append(subscription) } }
            )
        }
        if !consumer.noAck {
            session.unsettled.begin(consumerTag: tag, queue: subscription.queue.name, session: session)
        }
        do {
            _ = try await session.answer(to: call, since: start)
        } catch {
            session.unsettled.end(consumerTag: tag)
            // The queue has not lost a consumer.
            state.withLock { state in
                state.subscriptions.removeAll { $0.consumer === consumer }
                state.takingUp[tag] = nil
            }
            // It may have been begun anew meanwhile.
            consumer.cancelInBackground()
            // Nor will it call back: a shutdown that has begun meanwhile would wait for that.
            consumer.callbacksReturned.set(())
            throw error
        }
    }

    /// A tag that no consumer of the channel has, whichever session began it.
    func nextConsumerTag() -> String { session.nextConsumerTag() }
}
