internal import Synchronization

extension ConnectionCore {
    /// What has happened, and what waits.
    var statistics: ConnectionStatistics {
        let now = MonotonicTime.now
        let tally = base.tally
        var statistics = ConnectionStatistics()
        base.outbox.state.withLock { outbox in
            statistics.published = outbox.traffic.published
            statistics.republished = outbox.traffic.republished
            statistics.bytesSent = outbox.traffic.bytesSent
            statistics.bytesReceived = outbox.traffic.bytesReceived
            statistics.heldBackPublishers = outbox.heldBack.count
            statistics.outboundBytes = outbox.pending
        }
        statistics.inboundBytes = base.gauge.waitingBytes
        statistics.confirmed = tally.confirmed.current
        statistics.nacked = tally.nacked.current
        statistics.returned = tally.returned.current
        statistics.unknownOutcomes = tally.unknownOutcomes.current
        statistics.delivered = tally.delivered.current
        statistics.redelivered = tally.redelivered.current
        statistics.acknowledged = tally.acknowledged.current
        statistics.requeued = tally.requeued.current
        statistics.rejected = tally.rejected.current
        statistics.givenBack = tally.givenBack.current
        statistics.staleSettlements = tally.staleSettlements.current
        statistics.losses = tally.losses.current
        statistics.recoveries = tally.recoveries.current
        statistics.timeDown = tally.down.elapsed(at: now)
        statistics.timeBlocked = tally.blocked.elapsed(at: now)
        statistics.timePaused = tally.paused.elapsed(at: now)
        let channels = state.withLock { $0.channels }
        statistics.channels = channels.count
        for channel in channels {
            let session = channel.session
            let (unsettled, sent) = session.state.withLock { state in
                state.closeReason == nil
                    ? (state.settlements.unsettledCount, state.confirms?.unconfirmed ?? 0)
                    : (0, state.confirms?.unconfirmed ?? 0)
            }
            let (consumers, waitsForSession) = channel.state.withLock { state in
                (state.subscriptions.count, !state.unconfirmed.isEmpty || !state.resending.isEmpty)
            }
            statistics.unsettled += unsettled
            // Those that are just published again would count twice.
            statistics.unconfirmed += waitsForSession ? channel.unconfirmed.count : sent
            statistics.consumers += consumers
        }
        return statistics
    }
}
