internal import Synchronization

extension Outbox {
    /// Appends connection.close behind all that is held back; takes nothing more than close-ok then, and ends every wait
    /// for room.
    func conclude(_ method: ClientMethod, _ error: AMQPError) throws(AMQPError) {
        let (heldBack, wakes) = try state.withLock {
            state throws(AMQPError) -> ([HeldBackPublishers.Publisher], Bool) in
            if let ended = state.ended { throw ended }
            state.writeSettlements()
            try state.buffer.append(method, channel: 0, frameMax: state.frameMax, pool: state.pool)
            state.refusal = error
            return (state.heldBack.removeAll(), state.requestFlush(isUrgent: true))
        }
        if wakes { scheduleFlush() }
        for publisher in heldBack { publisher.turn.fail(error) }
    }

    /// Takes no more, and ends every wait for room.
    func end(_ error: AMQPError) {
        let (heldBack, flushing) = state.withLock { state -> ([HeldBackPublishers.Publisher], [OneShot<Void>]) in
            guard state.ended == nil else { return ([], []) }
            (state.ended, state.refusal) = (error, nil)
            state.blockedReason = nil
            state.directDescriptor = nil
            state.buffer.clear()
            state.settling = []
            return (state.heldBack.removeAll(), state.flushWaiters.removeAll())
        }
        for publisher in heldBack { publisher.turn.fail(error) }
        for waiter in flushing { waiter.fail(error) }
    }
}
