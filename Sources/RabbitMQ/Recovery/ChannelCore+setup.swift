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
        let (call, session) = try await send { session throws(AMQPError) in try session.beginConfirms(limit: limit) }
        note(on: session) { if $0.confirmLimit == nil { $0.confirmLimit = limit } }
        _ = try await session.answer(to: call)
    }

    /// Makes the channel transactional.
    func selectTransactions() async throws { try await tell(.txSelect) { $0.isTransactional = true } }

    private func tell(_ method: ClientMethod, _ change: (inout ChannelSetup) -> Void) async throws {
        let (call, session) = try await send { session throws(AMQPError) in try session.begin(method) }
        // The broker has it, whether or not anybody waits for the answer.
        note(on: session, change)
        _ = try await session.answer(to: call)
    }

    private func note(on session: ChannelSession, _ change: (inout ChannelSetup) -> Void) {
        state.withLock { change(&$0.setup) }
    }

    /// Begins a consumer.
    func begin(_ subscription: Subscription) async throws {
        let (consumer, tag) = (subscription.consumer, subscription.consumer.tag)
        let (call, session) = try await send { session throws(AMQPError) in
            let queue = subscription.queue.name
            var source = consumer.source
            if source.session !== session {
                source = subscription.options.makeSource(session, queue)
                consumer.resume(from: source)
            }
            return try session.begin(subscription.method(of: source, isFirst: true), consumer: consumer)
        }
        if !consumer.noAck {
            session.unsettled.begin(consumerTag: tag, queue: subscription.queue.name, session: session)
        }
        do {
            _ = try await session.answer(to: call)
        } catch {
            session.unsettled.end(consumerTag: tag)
            throw error
        }
        add(subscription)
    }

    /// A tag that no consumer of the channel has, whichever session began it.
    func nextConsumerTag() -> String { session.nextConsumerTag() }

    /// Adds a consumer that has begun.
    private func add(_ subscription: Subscription) {
        let reason = state.withLock { state -> AMQPError? in
            if case .ended(let reason) = state.phase { return reason }
            // It may have ended by now.
            if !subscription.consumer.isCancelling { state.subscriptions.append(subscription) }
            return nil
        }
        if let reason { subscription.consumer.end(reason) }
    }
}
