internal import Synchronization

extension ConnectionCore {
    /// How it is.
    var health: ConnectionHealth {
        let reason = base.outbox.blockedReason
        let now = MonotonicTime.now
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
                blockedFor: reason == nil ? nil : state.blockedSince.map { .nanoseconds(Int64(clamping: now &- $0)) },
                lastError: state.lastError
            )
        }
    }

    func blocked(_ reason: String?) {
        state.withLock { $0.blockedSince = reason == nil ? nil : $0.blockedSince ?? MonotonicTime.now }
        events.send(reason.map(ConnectionEvent.blocked) ?? .unblocked)
    }
}
