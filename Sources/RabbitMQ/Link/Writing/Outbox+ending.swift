internal import Synchronization

extension Outbox {
    /// Appends connection.close behind all that is held back; takes nothing more than close-ok then, and ends every wait
    /// for room.
    ///
    /// - Parameter writers: All that may have acknowledgements: whoever gives one may not have told so yet, and who gives
    ///   another behind it relies on the first, and tells nobody. Both would be taken back, and only the first be told.
    func conclude(
        _ method: ClientMethod,
        _ error: AMQPError,
        settling writers: [any SettlementWriter] = []
    ) throws(AMQPError) {
        let (heldBack, flusher) = try state.withLock {
            state throws(AMQPError) -> ([HeldBackPublishers.Publisher], FlushSchedule.Flusher) in
            if let ended = state.ended ?? state.down { throw ended }
            state.writeSettlements()
            for writer in writers { writer.endSettlements(error, to: state.buffer) }
            try state.buffer.append(method, channel: 0, frameMax: state.frameMax, pool: state.pool)
            state.refusal = error
            return (state.heldBack.removeAll(), state.requestFlush(isUrgent: true))
        }
        scheduleFlush(flusher)
        for publisher in heldBack { publisher.turn.fail(error) }
    }

    /// Has another link use it, for which it is as new.
    ///
    /// - Returns: The link's number, with which it and its channels send: what those of an earlier one still send is refused.
    func attach() -> UInt32 {
        state.withLock { state in
            state.buffer.clear()
            (state.ended, state.down, state.refusal) = (nil, nil, nil)
            (state.inFlight, state.taken) = (0, 0)
            state.frameMax = Outbox.State.firstFrameMax
            state.flush = FlushSchedule(lowWater: limits.lowWater)
            state.epoch &+= 1
            return state.epoch
        }
    }

    /// Ends what the link had that uses it, which has ended: takes no more until another one does. If another one does
    /// already, nothing happens.
    func detach(_ reason: AMQPError, from sender: UInt32) { end(reason, from: sender, isFinal: false) }

    /// Takes no more, and ends every wait for room, unless another link uses it than the one that ends.
    func end(_ error: AMQPError, from sender: UInt32) { end(error, from: sender, isFinal: true) }

    private func end(_ error: AMQPError, from sender: UInt32, isFinal: Bool) {
        let (heldBack, flushing) = state.withLock { state -> ([HeldBackPublishers.Publisher], [OneShot<Void>]) in
            guard state.ended == nil, sender == state.epoch else { return ([], []) }
            if isFinal { state.ended = error } else { state.down = error }
            state.refusal = nil
            state.blockedReason = nil
            state.buffer.log?.takeBack(state.buffer.byteCount)
            state.buffer.clear()
            state.settling = []
            return (state.heldBack.removeAll(), state.flushWaiters.removeAll())
        }
        for publisher in heldBack { publisher.turn.fail(error) }
        for waiter in flushing { waiter.fail(error) }
    }
}
