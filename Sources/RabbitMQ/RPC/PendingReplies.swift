internal import Synchronization

/// Calls that wait for their replies, by the number that is their correlation id.
final class PendingReplies: Sendable {
    private struct State {
        var replies: [UInt64: OneShot<Message>] = [:]
        /// Calls whose requests wait to be sent.
        var unsent: Set<UInt64> = []
        var nextID: UInt64 = 0
        /// Why no replies come any more.
        var end: AMQPError?
    }

    private let state = Mutex(State())

    var count: Int { state.withLock { $0.replies.count + $0.unsent.count } }

    /// Adds a call.
    ///
    /// - Returns: Its number.
    /// - Throws: The reason why no replies come any more.
    func add(_ reply: OneShot<Message>) throws(AMQPError) -> UInt64 {
        try state.withLock { state throws(AMQPError) in
            if let end = state.end { throw end }
            state.nextID &+= 1
            state.replies[state.nextID] = reply
            return state.nextID
        }
    }

    func remove(_ id: UInt64) {
        state.withLock { state in
            state.unsent.remove(id)
            _ = state.replies.removeValue(forKey: id)
        }
    }

    /// A call's request could not be sent at once: until it is, it has nothing to do with what ends.
    ///
    /// - Returns: Whether its reply is still waited for; if not, it has failed with what has ended meanwhile.
    func waits(_ id: UInt64) -> Bool {
        state.withLock { state in
            guard state.replies.removeValue(forKey: id) != nil else { return false }
            state.unsent.insert(id)
            return true
        }
    }

    /// The request that waited is sent.
    func sends(_ id: UInt64, _ reply: OneShot<Message>) {
        let end = state.withLock { state -> AMQPError? in
            guard state.unsent.remove(id) != nil else { return nil }
            if let end = state.end { return end }
            state.replies[id] = reply
            return nil
        }
        if let end { reply.fail(end) }
    }

    /// Gives a call its result.
    ///
    /// - Returns: Whether somebody waited for it.
    func resolve(_ correlationID: String?, _ result: Result<Message, any Error>) -> Bool {
        guard let id = correlationID.flatMap({ UInt64($0) }),
            let reply = state.withLock({ $0.replies.removeValue(forKey: id) })
        else { return false }
        return reply.resolve(result)
    }

    /// Fails all calls whose requests are sent; others may be added.
    func fail(_ error: AMQPError) {
        let replies = state.withLock { state in
            defer { state.replies = [:] }
            return state.replies
        }
        for reply in replies.values { reply.fail(error) }
    }

    /// Fails all calls, and those that would be added.
    func end(_ error: AMQPError) {
        let replies = state.withLock { state in
            if state.end == nil { state.end = error }
            defer { state.replies = [:] }
            return state.replies
        }
        for reply in replies.values { reply.fail(error) }
    }
}
