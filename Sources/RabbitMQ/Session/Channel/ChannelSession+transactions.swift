internal import Synchronization

/// Commits and rollbacks are sent one after the other, each when no commit is unanswered.
extension ChannelSession {
    /// Sends a call when it has the turn, for which it waits no longer than until the configuration's `callTimeout` after
    /// `start` has passed.
    func sendInTurn(_ method: ClientMethod, since start: UInt64) async throws -> PendingCall {
        if let turn = try joinTurns() {
            let timeout = link.configuration.timeoutOfCall
            do {
                try await link.waitForPeer(atMost: timeout.left(since: start)) {
                    turn.fail(Self.notSent(method, within: timeout))
                } _: {
                    try await turn.value()
                }
            } catch {
                state.withLock { $0.abandonTurn() }
                throw error
            }
        }
        return try sendNow(method)
    }

    /// Sends a rollback when it has the turn, in any case: else what it is to drop would count with the next commit.
    func sendRollback(since start: UInt64) async throws -> PendingCall {
        let method = ClientMethod.txRollback
        guard let turn = try joinTurns() else { return try sendNow(method) }
        let sent = OneShot<PendingCall>()
        Task {
            do {
                try await turn.value()
                sent.succeed(try sendNow(method))
            } catch {
                sent.fail(error)
            }
        }
        let timeout = link.configuration.timeoutOfCall
        // A task of its own, because the one that waits for it may be cancelled.
        return try await Task {
            try await link.waitForPeer(atMost: timeout.left(since: start)) {
                sent.fail(Self.notSent(method, within: timeout))
            } _: {
                try await sent.value()
            }
        }.value
    }

    private static func notSent(_ method: ClientMethod, within timeout: Duration) -> AMQPError {
        AMQPError(.timedOut, "\(method.name) waits for the answer to a commit, which did not come within \(timeout)")
    }

    private func joinTurns() throws(AMQPError) -> OneShot<Void>? {
        try state.withLock { state throws(AMQPError) in
            defer { showMode(state) }
            return try state.takeTurn()
        }
    }

    /// Sends a call that has the turn. A commit keeps it until it is answered.
    private func sendNow(_ method: ClientMethod) throws(AMQPError) -> PendingCall {
        do throws(AMQPError) {
            let call = try begin(method)
            if method == .txRollback { passTurn() }
            return call
        } catch {
            passTurn()
            throw error
        }
    }

    /// Gives the turn to the next that waits for it, or lets publishers go on.
    func passTurn() {
        var next: OneShot<Void>?
        repeat {
            let publishers = state.withLock { state in
                next = state.passTurn()
                showMode(state)
                return state.takePublishers()
            }
            for publisher in publishers { publisher.succeed(()) }
            // Who has stopped waiting needs no turn.
        } while next?.succeed(()) == false
    }
}
