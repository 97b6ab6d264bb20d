internal import Logging
internal import Synchronization

/// Closing in an order in which nothing is lost.
extension ConnectionCore {
    /// What closing is left of the time.
    private static let closingShare = 5

    /// How long handlers that were cancelled may take to give their messages back.
    private static let longestRetreat = Duration.milliseconds(500)

    /// Ends intake, waits for handlers and confirms, and closes.
    func shutdown(within timeout: Duration) async -> ShutdownReport {
        let start = MonotonicTime.now
        let reserve = min(configuration.closeTimeout, timeout / Self.closingShare)
        let consumers = consumers
        // Who calls this in a handler would wait for itself until the time is over.
        let own = HandlingTask.current
        let before = Standing(self)
        let link = openLink
        if let link {
            let orderly = CallTimeout.withNone { Task { try await self.comeToRest(consumers, butFor: own) } }
            // With its link all is over that could be waited for: deliveries come again, outcomes are unknown.
            let watching = Task {
                _ = try await link.ended.wait()
                orderly.cancel()
            }
            await withTaskCancellationHandler {
                await withDeadline(after: timeout - reserve) {
                    orderly.cancel()
                } _: {
                    _ = await orderly.result
                }
            } onCancel: {
                orderly.cancel()
            }
            watching.cancel()
        }
        await retreat(consumers.filter { own?.handles(for: $0) != true }, within: min(Self.longestRetreat, reserve))
        // Those of channels too that handlers have opened meanwhile, or that were opened anew.
        let sessions = before.sessions.merging(openSessions) { old, _ in old }
        // That it is lost is decided before who waits hears of it; the link's own word comes after that, and the connection
        // counts the loss last: perhaps never, if it is closed by then.
        let hasLost = link.map { isLosing($0) || $0.ended.current?.isOrderly == false } ?? false
        await close(atMost: max(timeout.left(since: start), .milliseconds(100)))
        // What came to nothing with the connection's end is counted as much as what waits: nobody else tells of it.
        let lost = base.tally.unknownOutcomes.current - before.unknownOutcomes
        let end = ended.current
        let report = ShutdownReport(
            unsettled: sessions.values.reduce(0) { sum, session in
                sum + session.state.withLock { $0.settlements.unsettledCount + $0.settlements.unwrittenCount }
            },
            unconfirmed: lost + (end == nil ? statistics.unconfirmed : 0),
            wasLost: before.isDown || hasLost || base.tally.losses.current > before.losses || end?.isOrderly != true,
            duration: .nanoseconds(Int64(clamping: MonotonicTime.now &- start))
        )
        if !report.isComplete {
            logger.warning(
                "the connection was shut down before all was done",
                metadata: [
                    LogKey.unsettled: "\(report.unsettled)", LogKey.unconfirmed: "\(report.unconfirmed)",
                    LogKey.took: "\(report.duration)",
                ]
            )
        }
        return report
    }

    /// How things stand when it begins.
    private struct Standing {
        let sessions: [ObjectIdentifier: ChannelSession]
        let unknownOutcomes: Int
        let losses: Int
        /// Whether there is no connection, and it is made again.
        let isDown: Bool

        init(_ core: ConnectionCore) {
            sessions = core.openSessions
            unknownOutcomes = core.base.tally.unknownOutcomes.current
            losses = core.base.tally.losses.current
            isDown = core.openLink == nil && core.ended.current == nil
        }
    }

    /// The sessions that channels have at present. What an earlier one has left is over.
    private var openSessions: [ObjectIdentifier: ChannelSession] {
        let sessions = state.withLock { $0.channels }.map(\.session).filter { $0.isOpen }
        return Dictionary(sessions.map { (ObjectIdentifier($0), $0) }) { first, _ in first }
    }

    /// Those that take work, and those that took some a moment ago. What takes the replies to our own calls does not: a
    /// handler that is still at work may wait for one.
    private var consumers: [Consumer] {
        let begun = state.withLock { $0.channels }
            .flatMap { channel in channel.state.withLock { $0.subscriptions.map(\.consumer) } }
        let leaving = state.withLock { $0.leaving.all }
        return (begun + leaving).filter { $0.source.queue != EntityName.directReplyTo }
    }

    /// Keeps in mind a consumer that ends, as long as callbacks of it may run: a shutdown waits for them too.
    func keepWhileCalling(_ consumer: Consumer) {
        guard consumer.callback != nil, consumer.callbacksReturned.current == nil else { return }
        // They are let go of without the lock: the last of what holds a channel may go with one.
        _ = state.withLock { state in
            state.leaving.add(consumer) { $0.callbacksReturned.current == nil }
        }
    }

    /// - Parameter own: The task that waits for this, if it handles messages: its callback does not return by then, and the
    ///   message that it handles may be settled behind it; so it is where one handler has called another. Others of the same
    ///   consumer are waited for by their settlement.
    private func comeToRest(_ consumers: [Consumer], butFor own: HandlingTask?) async throws {
        await withTaskGroup { group in
            for consumer in consumers { group.addTask { try? await consumer.endIntake() } }
        }
        for consumer in consumers where consumer.callback != nil && own?.handles(for: consumer) != true {
            try await consumer.callbacksReturned.wait()
        }
        let channels = state.withLock { $0.channels }
        for channel in channels {
            let session = channel.session
            try await session.waitForSettlements(butFor: own?.deliveryTags(on: session) ?? [])
        }
        // Whoever has settled the last may be about to say so.
        for channel in channels { channel.session.writeAcknowledgements() }
        base.outbox.expedite()
        // Also of channels that handlers have opened meanwhile.
        for channel in state.withLock({ $0.channels }) { try await waitForConfirms(of: channel) }
    }

    /// Waits until all is confirmed that was published so far: also on the session that follows one that ends meanwhile, where
    /// it is published again.
    private func waitForConfirms(of channel: ChannelCore) async throws {
        while true {
            let session = channel.session
            try await session.waitForConfirms()
            guard !session.isOpen, channel.publishesAgain else { return }
            // What follows is decided by then.
            _ = await session.closed.wait(atMost: .seconds(1))
            do {
                guard try await channel.ready() !== session else { return }
            } catch is AMQPError {
                return
            }
            try Task.checkCancellation()
        }
    }

    /// Has callbacks that still run end, and waits a moment until they have given back their messages.
    private func retreat(_ consumers: [Consumer], within grace: Duration) async {
        let running = consumers.filter { $0.callback != nil && $0.callbacksReturned.current == nil }
        guard !running.isEmpty else { return }
        for consumer in running { consumer.calling.withLock { $0 }?.cancel() }
        let start = MonotonicTime.now
        for consumer in running where openLink != nil {
            _ = await consumer.callbacksReturned.wait(atMost: grace.left(since: start))
        }
    }
}

extension AMQPError {
    /// Whether a connection that ended so was closed by us, and not lost on the way.
    fileprivate var isOrderly: Bool { code == .connectionClosed && replyCode == nil && underlying == nil }
}
