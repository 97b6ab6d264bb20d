internal import Synchronization

/// Waiting until the operating system has what was handed over.
extension Outbox {
    /// Has all written that was appended so far, with the acknowledgements that were held back in order to be merged.
    ///
    /// - Returns: What to wait for; nil if everything is written.
    func flush() throws(AMQPError) -> OneShot<Void>? {
        let (written, flusher) = try state.withLock {
            state throws(AMQPError) -> (OneShot<Void>?, FlushSchedule.Flusher) in
            if let end = state.end { throw end }
            state.writeSettlements()
            let position = state.taken + state.buffer.unwrittenCount
            guard position > state.written else { return (nil, .nobody) }
            let written = state.flushWaiters.wait(for: position)
            return (written, state.requestFlush(isUrgent: true))
        }
        scheduleFlush(flusher)
        return written
    }

    /// Whoever waited for this has stopped.
    func leaveFlush(_ written: OneShot<Void>) { state.withLock { $0.flushWaiters.leave(written) } }
}
