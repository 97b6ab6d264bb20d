internal import Synchronization

/// Messages go out while there is room, and while the broker takes them; else their publishers wait.
extension Outbox {
    /// Appends a message, if there is room.
    ///
    /// - Parameters:
    ///   - lastMeeting: When last the publisher found the lock taken.
    ///   - append: Called under the lock, appends it; or doesn't, and says so.
    /// - Returns: Whether it was appended.
    @inline(__always)
    func publish(lastMeeting: borrowing Atomic<UInt64>, append: (inout State) throws(AMQPError) -> Bool)
        throws(AMQPError) -> Bool
    {
        var flusher = FlushSchedule.Flusher.nobody
        let isAppended = try withUncontendedState(lastMeeting: lastMeeting) { state throws(AMQPError) -> Bool in
            if let ending = state.ending, ending.stage != .detached { throw ending.reason }
            guard !isFull(state), try append(&state) else { return false }
            state.traffic.published &+= 1
            flusher = state.requestFlush(isUrgent: false)
            return true
        }
        if flusher != .nobody { scheduleFlush(flusher) }
        return isAppended
    }

    /// Appends a message, or says what to wait for.
    ///
    /// - Parameters:
    ///   - size: The size of its body.
    ///   - isAdmitted: Whether it was held back before and is let through now.
    ///   - append: Called under the lock, appends it; or doesn't, and the room that was kept for it goes to the next.
    /// - Returns: nil, or what to wait for before trying again: too much is waiting, or the broker takes nothing.
    func publish(
        size: Int,
        isAdmitted: Bool,
        append: (inout State) throws(AMQPError) -> Void
    ) throws(AMQPError) -> OneShot<Void>? {
        var isAppended = false
        var flusher = FlushSchedule.Flusher.nobody
        defer { if isAdmitted, !isAppended { admit() } }
        let heldBack = try state.withLock { state throws(AMQPError) -> OneShot<Void>? in
            if isAdmitted { state.heldBack.redeem(size) }
            if let ending = state.ending { throw ending.reason }
            if !isAdmitted, isFull(state) { return state.heldBack.hold(size) }
            let before = state.buffer.byteCount
            try append(&state)
            isAppended = state.buffer.byteCount > before
            if isAppended {
                state.traffic.published &+= 1
                flusher = state.requestFlush(isUrgent: false)
            }
            return nil
        }
        scheduleFlush(flusher)
        return heldBack
    }

    /// Appends messages that were published before on a link that has ended, in front of all others.
    func publishAgain(_ append: (inout State) throws(AMQPError) -> Void) throws(AMQPError) {
        let flusher = try state.withLock { state throws(AMQPError) -> FlushSchedule.Flusher in
            if let ending = state.ending { throw ending.reason }
            try append(&state)
            return state.buffer.isEmpty ? .nobody : state.requestFlush(isUrgent: false)
        }
        scheduleFlush(flusher)
    }

    @inline(__always)
    private func isFull(_ state: borrowing State) -> Bool {
        state.committed >= limits.highWater || state.blockedReason != nil || !state.heldBack.isEmpty
            || state.ending != nil
    }

    /// Lets publishers through, first come first served, as far as there is room.
    func admit() {
        var given = 0
        repeat {
            let admitted = state.withLock { state -> [HeldBackPublishers.Publisher] in
                state.heldBack.redeem(given)
                guard state.blockedReason == nil, state.committed <= limits.lowWater else { return [] }
                return state.heldBack.admit(pending: state.pending, upTo: limits.highWater)
            }
            // What was given to those who don't wait any more goes to the next.
            given = 0
            var isGivenBack = false
            for publisher in admitted where !publisher.signal.succeed(()) {
                given += publisher.wish
                isGivenBack = true
            }
            guard isGivenBack else { return }
        } while true
    }

    /// A publisher that was held back has given up.
    func withdraw() { state.withLock { $0.heldBack.withdraw() } }

    /// Why the broker takes no messages now, or nil.
    var blockedReason: String? { state.withLock { $0.blockedReason } }

    /// - Returns: Whether publishers wait who were held back before, and now for the end of it.
    @discardableResult
    func setBlocked(_ reason: String?) -> Bool {
        let isAwaited = state.withLock { state in
            state.blockedReason = reason
            return reason != nil && !state.heldBack.isEmpty
        }
        admit()
        return isAwaited
    }
}

extension Outbox.State {
    /// Whether what is appended next is the first of what is written together.
    @inline(__always)
    var isEmpty: Bool { buffer.isEmpty }

    /// A place to return to, before a message is appended that may be taken back.
    @inline(__always)
    var mark: (Int, Int) { buffer.mark }

    /// Takes back the message that was appended last, under the same lock: nobody has seen it.
    func takeBackMessage(to mark: (Int, Int)) { buffer.takeBackMessage(to: mark) }

    /// Appends a message whole, or nothing of it.
    @inline(__always)
    mutating func append(
        _ message: borrowing Message,
        exchange: String,
        routingKey: String,
        mandatory: Bool,
        channel: UInt16
    ) throws(AMQPError) {
        try buffer.appendPublish(
            message,
            exchange: exchange,
            routingKey: routingKey,
            mandatory: mandatory,
            channel: channel,
            frameMax: frameMax,
            pool: pool,
            template: template
        )
    }
}
