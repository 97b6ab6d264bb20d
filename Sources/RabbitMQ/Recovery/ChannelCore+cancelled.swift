internal import Logging
internal import Synchronization

/// Consumers that the broker cancels.
extension ChannelCore {
    /// Takes up a consumer that the broker has cancelled, while its queue exists.
    ///
    /// - Parameter session: Where that was: with the one behind it, it is begun anew with the others.
    func takeUpAgain(_ subscription: Subscription, on session: ChannelSession, _ reason: AMQPError) {
        let consumer = subscription.consumer
        connection.configuration.logger.warning(
            "the broker cancelled a consumer, which is begun again while its queue exists",
            metadata: [LogKey.consumerTag: "\(consumer.tag.printable())"]
        )
        Task { [weak self] in
            guard let connection = self?.connection else { return }
            var isFirst = true
            while let self, !consumer.isCancelling {
                try? await DeadlineTimer.shared.sleep(for: self.nextDelay(of: consumer, isFirst: isFirst))
                isFirst = false
                guard self.isCurrent(session), !consumer.isCancelling else { return }
                do {
                    if try await connection.hasQueue(subscription.queue.name) {
                        guard !session.keepsBack(consumer) else { return self.replace(session, for: consumer, reason) }
                        let call = try self.begin(subscription, on: session)
                        do {
                            _ = try await session.answer(to: call)
                        } catch let error as AMQPError where error.code == .timedOut {
                            // Its tag is taken until the answer comes, if ever: not so on another session.
                            return self.replace(session, for: consumer, error)
                        }
                        self.state.withLock { $0.takingUp[consumer.tag]?.last = MonotonicTime.now }
                        return
                    }
                    self.forget(consumer)
                    connection.topology.removeQueue(subscription.queue.name)
                    consumer.end(reason)
                    return
                } catch let error as AMQPError {
                    // With its session, it is begun anew with the next.
                    guard session.isOpen else { return }
                    if error.isRetryable { continue }
                    self.forget(consumer)
                    consumer.end(reason)
                    return
                } catch { return }
            }
        }
    }

    /// Has the channel opened anew, as if the broker had closed it: for what a consumer keeps, or because a consumer can't
    /// begin on this session any more.
    private func replace(_ session: ChannelSession, for consumer: Consumer, _ reason: AMQPError) {
        guard isCurrent(session), decideReplacement(of: session, after: reason) else { return }
        session.abandon(reason)
        // It may have ended meanwhile, and the consumer have begun on the next.
        if consumer.source.session === session { consumer.interrupt() }
    }

    /// How long to wait before the next try, which comes later for a consumer that is cancelled again and again.
    func nextDelay(of consumer: Consumer, isFirst: Bool) -> Duration {
        let (now, tag) = (MonotonicTime.now, consumer.tag)
        return state.withLock { state in
            // Of one that has ended meanwhile nothing would take it out again.
            guard state.subscriptions.contains(where: { $0.consumer === consumer }) else { return Duration.zero }
            var entry = state.takingUp[tag] ?? (RecoverySchedule(connection.configuration.recovery), now)
            if isFirst { entry.schedule.ended(after: .nanoseconds(Int64(clamping: now &- entry.last))) }
            let delay = entry.schedule.next(.random(in: 0...1))
            state.takingUp[tag] = entry
            return delay
        }
    }

    /// Whether a session is the one at present, in use or being set up.
    private func isCurrent(_ session: ChannelSession) -> Bool {
        state.withLock { state in
            if case .ended = state.phase { return false }
            return state.session === session && state.sessionEnd == nil
        }
    }
}

extension ChannelSession {
    /// Whether the broker may have cancelled the consumer for what it has kept too long, and gives it nothing before all of
    /// that is settled, under whatever tag. Which deliveries are meant it does not tell: the channel is opened anew, as it is
    /// for this reason with brokers before 4.3.
    fileprivate func keepsBack(_ consumer: Consumer) -> Bool {
        let source = consumer.source
        // It is quorum queues that look for how long deliveries are kept.
        guard link.cancelsLateConsumers.load(ordering: .relaxed), !consumer.noAck, source.isStream != true,
            source.queueType != .classic
        else { return false }
        return state.withLock { $0.settlements.unsettledCount > 0 }
    }
}
