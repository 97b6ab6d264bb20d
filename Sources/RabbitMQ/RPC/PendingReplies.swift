internal import Synchronization

/// Calls that wait for their replies, by the number that is their correlation id.
final class PendingReplies: Sendable {
    private struct Call: Sendable {
        let reply: OneShot<Message>
        /// Whether its request is known to be sent. Until then it has nothing to do with what ends: the next session may
        /// send it, and no server has run it if none does.
        var isSent = false
        /// What has ended meanwhile, which is this call's affair if its request was sent just before.
        var interruption: AMQPError?
    }

    private struct State {
        var calls: [UInt64: Call] = [:]
        var nextID: UInt64 = 0
        /// Why no replies come any more.
        var end: AMQPError?

        /// - Returns: Those whose requests are known to be sent, which are taken out.
        mutating func interrupt(_ reason: AMQPError) -> [OneShot<Message>] {
            var sent: [OneShot<Message>] = []
            for (id, call) in calls {
                if call.isSent {
                    sent.append(call.reply)
                    calls[id] = nil
                } else {
                    calls[id]?.interruption = reason
                }
            }
            return sent
        }
    }

    private let state = Mutex(State())

    var count: Int { state.withLock { $0.calls.count } }

    /// Adds a call, whose request is not sent yet.
    ///
    /// - Returns: Its number.
    /// - Throws: The reason why no replies come any more.
    func add(_ reply: OneShot<Message>) throws(AMQPError) -> UInt64 {
        try state.withLock { state throws(AMQPError) in
            if let end = state.end { throw end }
            state.nextID &+= 1
            state.calls[state.nextID] = Call(reply: reply)
            return state.nextID
        }
    }

    func remove(_ id: UInt64) {
        state.withLock { _ = $0.calls.removeValue(forKey: id) }
    }

    /// Throws the reason if no replies come any more: then nothing need be sent.
    func requireReplies() throws(AMQPError) {
        if let end = state.withLock({ $0.end }) { throw end }
    }

    /// A call's request that has waited is about to be sent, which may fail yet: what a session that has ended before has to
    /// do with it is over.
    func sends(_ id: UInt64) {
        state.withLock { state in
            let end = state.end
            state.calls[id]?.interruption = end
        }
    }

    /// A call's request was sent. If something has ended meanwhile, the call fails with it.
    func sent(_ id: UInt64) {
        let interrupted = state.withLock { state -> Call? in
            guard let call = state.calls[id], call.interruption != nil else {
                state.calls[id]?.isSent = true
                return nil
            }
            state.calls[id] = nil
            return call
        }
        if let interrupted, let reason = interrupted.interruption { interrupted.reply.fail(reason) }
    }

    /// Gives a call its result.
    ///
    /// - Returns: Whether somebody waited for it.
    func resolve(_ correlationID: String?, _ result: Result<Message, any Error>) -> Bool {
        guard let id = correlationID.flatMap({ UInt64($0) }),
            let call = state.withLock({ $0.calls.removeValue(forKey: id) })
        else { return false }
        return call.reply.resolve(result)
    }

    /// Fails all calls whose requests are sent; others may be added.
    func fail(_ error: AMQPError) {
        for reply in state.withLock({ $0.interrupt(error) }) { reply.fail(error) }
    }

    /// Fails all calls whose requests are sent, and those that would be added.
    func end(_ error: AMQPError) {
        let replies = state.withLock { state in
            if state.end == nil { state.end = error }
            return state.interrupt(error)
        }
        for reply in replies { reply.fail(error) }
    }
}
