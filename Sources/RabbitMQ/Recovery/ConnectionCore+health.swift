internal import Synchronization

extension ConnectionCore {
    /// How it is.
    var health: ConnectionHealth {
        let reason = base.outbox.blockedReason
        let now = MonotonicTime.now
        let blockedSince = base.tally.blocked.since
        return state.withLock { state in
            var downFor: Duration?
            let phase: ConnectionState
            switch state.recovery.phase {
            case .up: phase = .up
            case .closed: phase = .closed
            case .down(let outage):
                phase = .recovering
                downFor = .nanoseconds(Int64(clamping: now &- outage.since))
            }
            return ConnectionHealth(
                state: phase,
                downFor: downFor,
                blockedReason: reason,
                blockedFor: reason == nil
                    ? nil : blockedSince.map { .nanoseconds(Int64(clamping: now &- min($0, now))) },
                lastError: state.lastError
            )
        }
    }

    func blocked(_ reason: String?) {
        if reason == nil { base.tally.blocked.stop() } else { base.tally.blocked.start() }
        events.send(reason.map(ConnectionEvent.blocked) ?? .unblocked)
    }
}
