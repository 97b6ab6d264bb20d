internal import Synchronization

extension Outbox {
    /// Whether the connection ends. A value.
    ///
    /// Here it is known first, as nothing may be appended any more; ``Link/ended`` tells those who wait for it, when
    /// everything has ended.
    enum End {
        case none
        /// Only the closing handshake may still be sent.
        case closing(AMQPError)
        case ended(AMQPError)
    }

    /// Appends connection.close behind all that is held back; takes nothing more than close-ok then, and ends every wait
    /// for room.
    func conclude(_ method: ClientMethod, _ error: AMQPError) throws(AMQPError) {
        let (heldBack, wakes) = try state.withLock {
            state throws(AMQPError) -> ([HeldBackPublishers.Publisher], Bool) in
            if let ended = state.ended { throw ended }
            state.writeSettlements()
            try state.buffer.append(method, channel: 0, frameMax: state.frameMax, pool: state.pool)
            state.end = .closing(error)
            return (state.heldBack.removeAll(), state.requestFlush(isUrgent: true))
        }
        if wakes { scheduleFlush() }
        for publisher in heldBack { publisher.turn.fail(error) }
    }

    /// Takes no more, and ends every wait for room.
    func end(_ error: AMQPError) {
        let (heldBack, flushing) = state.withLock { state -> ([HeldBackPublishers.Publisher], [OneShot<Void>]) in
            guard state.ended == nil else { return ([], []) }
            state.end = .ended(error)
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

extension Outbox.State {
    /// Why not even the closing handshake may be sent, or nil.
    @inline(__always)
    var ended: AMQPError? { if case .ended(let error) = end { error } else { nil } }

    /// Why only the closing handshake may be sent, or nil.
    @inline(__always)
    var refusal: AMQPError? { if case .closing(let error) = end { error } else { nil } }
}
