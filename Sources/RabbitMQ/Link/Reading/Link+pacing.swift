internal import Synchronization

/// A read that waits for a moment brings more messages (``ReadPace``).
extension Link {
    /// How late the timer's thread may be, in nanoseconds, to read itself: a later one has too much to do, and leaves it to the
    /// queue.
    private static let mostDelay: UInt64 = 200_000

    /// Has the next read wait for a moment, if that is likely to have it bring more, and nobody to wait for it in vain.
    ///
    /// Until then the poller is not asked, and so wakes nobody: the timer reads. Without it the connection would stand still.
    ///
    /// - Parameter count: How many bytes the last read brought.
    func putOffReading(after count: Int) {
        guard count > 0 else { return }
        let start = reading.lastReceived
        guard let wait = pace.wait(after: count, delivered: base.tally.delivered.current, now: start),
            case .open = phase, !writing.isBusy, !gauge.isAwaited,
            // Else the broker may wait for settlements of what is not even read.
            inboxes.credit >= wait.messages,
            reading.putOff()
        else { return }
        if !readsSoon.load(ordering: .relaxed) { readsSoon.store(true, ordering: .relaxed) }
        let due = start + wait.time
        _ = DeadlineTimer.shared.add(at: due, period: wait.time) {
            let isLate = MonotonicTime.now > due + Self.mostDelay
            let isDone = !isLate && self.executor.runIfIdle { self.assumeIsolated { $0.readOn(on: .poller) } }
            if !isDone { self.onQueue { $0.readOn(on: .queue) } }
        }
    }

    private func readOn(on thread: ReadingThread) {
        reading.readOn()
        readable(on: thread)
        // What pauses by now, and so reads nothing, waits for a peer that hangs up.
        arm()
        if !reading.isPutOff { endPacing(on: thread) }
    }

    /// What comes next may take its time: the broker is told what is acknowledged, which consumers that wait have left to this.
    private func endPacing(on thread: ReadingThread) {
        // Before the look at what waits: whoever acknowledges behind that look sees it, and tells the broker itself.
        readsSoon.store(false, ordering: .relaxed)
        guard case .open = phase, outbox.takeSettling() else { return }
        flush(on: thread.isPoller ? .other : .queue)
    }
}
