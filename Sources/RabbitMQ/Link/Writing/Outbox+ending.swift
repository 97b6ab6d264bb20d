internal import Synchronization

extension Outbox {
    /// Why it takes nothing more, and what of it.
    struct Ending {
        enum Stage {
            /// connection.close was appended, behind which only the rest of the closing handshake may be sent.
            case concluded
            /// The link that used it has ended: nothing is sent until another one does, for which publishers wait.
            case detached
            /// Nothing is sent any more.
            case ended
        }

        let stage: Stage
        let reason: AMQPError
    }

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
            if let end = state.end { throw end }
            state.writeSettlements()
            for writer in writers { writer.endSettlements(error, to: state.buffer) }
            try state.buffer.append(method, channel: 0, frameMax: state.frameMax, pool: state.pool)
            state.ending = Ending(stage: .concluded, reason: error)
            return (state.heldBack.removeAll(), state.requestFlush(isUrgent: true))
        }
        scheduleFlush(flusher)
        for publisher in heldBack { publisher.signal.fail(error) }
    }

    /// Has another link use it, for which it is as new.
    ///
    /// - Returns: The link's number, with which it and its channels send: what those of an earlier one still send is refused.
    func attach() -> UInt32 {
        state.withLock { state in
            state.buffer.clear()
            state.ending = nil
            (state.inFlight, state.taken, state.answers) = (0, 0, 0)
            state.frameMax = Outbox.State.firstFrameMax
            state.flush = FlushSchedule(lowWater: limits.lowWater)
            state.sender &+= 1
            return state.sender
        }
    }

    /// Ends what the link had that uses it, which has ended: takes no more until another one does. If another one does
    /// already, nothing happens.
    func detach(_ reason: AMQPError, from sender: UInt32) { end(reason, from: sender, .detached) }

    /// Takes no more, and ends every wait for room, unless another link uses it than the one that ends.
    func end(_ error: AMQPError, from sender: UInt32) { end(error, from: sender, .ended) }

    private func end(_ error: AMQPError, from sender: UInt32, _ stage: Ending.Stage) {
        let (heldBack, flushing) = state.withLock { state -> ([HeldBackPublishers.Publisher], [OneShot<Void>]) in
            guard state.ending?.stage != .ended, sender == state.sender else { return ([], []) }
            state.ending = Ending(stage: stage, reason: error)
            state.blockedReason = nil
            state.buffer.log?.takeBack(state.buffer.byteCount)
            state.buffer.clear()
            state.settling = []
            return (state.heldBack.removeAll(), state.flushWaiters.removeAll())
        }
        for publisher in heldBack { publisher.signal.fail(error) }
        for waiter in flushing { waiter.fail(error) }
    }
}

extension Outbox.State {
    /// Why not even the closing handshake may be sent, or nil.
    var end: AMQPError? {
        guard let ending, ending.stage != .concluded else { return nil }
        return ending.reason
    }
}
