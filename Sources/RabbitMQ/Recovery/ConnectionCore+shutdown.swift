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
        if let link = openLink {
            let orderly = CallTimeout.withNone { Task { try await self.comeToRest(consumers) } }
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
        await retreat(consumers, within: min(Self.longestRetreat, reserve))
        let left = statistics
        await close(atMost: max(timeout.left(since: start), .milliseconds(100)))
        let report = ShutdownReport(
            unsettled: left.unsettled,
            unconfirmed: left.unconfirmed,
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

    /// Those that take work. What takes the replies to our own calls does not: a handler that is still at work may wait for one.
    private var consumers: [Consumer] {
        state.withLock { $0.channels }
            .flatMap { channel in channel.state.withLock { $0.subscriptions.map(\.consumer) } }
            .filter { $0.source.queue != EntityName.directReplyTo }
    }

    private func comeToRest(_ consumers: [Consumer]) async throws {
        await withTaskGroup { group in
            for consumer in consumers { group.addTask { try? await consumer.endIntake() } }
        }
        for consumer in consumers where consumer.callback != nil { try await consumer.callbacksReturned.wait() }
        let channels = state.withLock { $0.channels }
        for channel in channels { try await channel.session.waitForRest(.settled) }
        base.outbox.expedite()
        // Also of channels that handlers have opened meanwhile.
        for channel in state.withLock({ $0.channels }) { try await channel.session.waitForRest(.confirmed) }
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

/// How a connection was shut down: see ``Connection/shutdown(within:)``.
public struct ShutdownReport: Sendable, Hashable {
    /// Deliveries that were not settled in time: the broker delivers them again, to whomever.
    public let unsettled: Int
    /// Messages whose outcome was not known in time: the broker may have them or not.
    public let unconfirmed: Int
    /// How long it took.
    public let duration: Duration

    /// Whether nothing was left.
    public var isComplete: Bool { unsettled == 0 && unconfirmed == 0 }
}
