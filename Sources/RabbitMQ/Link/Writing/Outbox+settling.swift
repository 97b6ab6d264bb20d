internal import Synchronization

/// Acknowledgements wait a little for others, with which they are merged, and for whatever else is sent: to write each by
/// itself costs as much as to handle a message. Nobody waits for them meanwhile but the broker, which delivers more as long
/// as the prefetch limit lets it.
extension Outbox {
    /// How long they wait at the most, in nanoseconds. A consumer that takes a millisecond a message has four go together.
    static let longestDeferral: UInt64 = 4_000_000

    /// Has the writer's held-back acknowledgements written with what is written next, or when their time is over.
    ///
    /// - Returns: nil, or why they never will be.
    func settleSoon(_ writer: any SettlementWriter, from sender: UInt32) -> AMQPError? {
        let (refused, setsTimer) = state.withLock { state -> (AMQPError?, Bool) in
            if let refusal = state.refusal(to: sender) { return (refusal, false) }
            state.settling.append(writer)
            state.flush.settle { MonotonicTime.now }
            defer { state.hasSettlingTimer = true }
            return (nil, !state.hasSettlingTimer)
        }
        if setsTimer { setSettlingTimer(at: MonotonicTime.now + Self.longestDeferral) }
        return refused
    }

    /// Has acknowledgements written now that wait for others.
    func settleNow() { scheduleFlush(state.withLock { $0.flush.hurrySettlements() }) }

    /// The same, for the link that is at work: whether there are any, and it is to flush.
    func takeSettling() -> Bool { state.withLock { $0.flush.hurrySettlements() } != .nobody }

    private func setSettlingTimer(at time: UInt64) {
        // Not weakly, which would have each use of the outbox counted the slow way from then on.
        _ = DeadlineTimer.shared.add(at: time) { self.settleDue() }
    }

    private func settleDue() {
        let now = MonotonicTime.now
        let due = state.withLock { state -> FlushSchedule.Due in
            let due = state.flush.due(after: Self.longestDeferral, now: now)
            // While they come, it is set again: to set it anew for each would wake its thread each time.
            if case .never = due { state.hasSettlingTimer = false }
            return due
        }
        switch due {
        case .flush:
            setSettlingTimer(at: now + Self.longestDeferral)
            scheduleFlush(.caller)
        case .later(let time): setSettlingTimer(at: time)
        case .never: break
        }
    }
}
