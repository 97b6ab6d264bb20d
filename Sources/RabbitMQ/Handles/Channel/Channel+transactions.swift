internal import Synchronization

/// Transactions (AMQP 0-9-1, section 1.9): what is published and settled on the channel counts with the commit.
///
/// They are slow: the broker answers a commit when everything is on disk. Publisher confirms
/// (``Channel/confirmSelect(maxUnconfirmed:)``) are the faster way not to lose a message; a channel can't have both.
extension Channel {
    /// Makes the channel transactional. A transaction is always under way then.
    ///
    /// - Throws: ``AMQPError/Code/preconditionFailed`` if the channel confirms, which closes it; other ``AMQPError``s;
    ///   `CancellationError`.
    public func selectTransactions() async throws {
        _ = try await session.call(.txSelect)
    }

    /// Commits what was published and settled since the last commit or rollback, and begins the next transaction.
    ///
    /// That begins at once: what is published and settled before the broker has answered belongs to it. But RabbitMQ takes
    /// nothing more on the channel until then. So publishing waits, for the configuration's `publishTimeout` at the most;
    /// settlements and calls are noted, and sent behind the answer; another ``commit()`` or ``rollback()`` waits before it
    /// is sent. That holds also if nobody waits for the answer any more: a commit that was sent counts, whether or not the
    /// task was cancelled.
    ///
    /// - Throws: ``AMQPError/Code/preconditionFailed`` if the channel is not transactional, which closes it;
    ///   ``AMQPError/Code/timedOut`` if the answer does not come within the configuration's `callTimeout`, or that to the
    ///   commit before, and then this one is not sent; other ``AMQPError``s; `CancellationError`.
    public func commit() async throws {
        _ = try await session.answer(to: try await session.sendInTurn(.txCommit))
    }

    /// Drops what was published since the last commit or rollback, and begins the next transaction.
    ///
    /// Deliveries that were settled within it wait to be settled again; the broker doesn't deliver them once more, unless
    /// it is asked to (``recover(requeue:)``).
    ///
    /// It is sent also if the task is cancelled; but not before the broker has answered the commit that is under way. For
    /// that it waits in a cancelled task too, for the configuration's `callTimeout` at the most, and is sent even later.
    ///
    /// - Throws: ``AMQPError/Code/preconditionFailed`` if the channel is not transactional, which closes it; other
    ///   ``AMQPError``s; `CancellationError`.
    public func rollback() async throws {
        _ = try await session.answer(to: try await session.sendRollback())
    }

    /// Runs `body` within a transaction: commits if it returns, rolls back if it throws.
    ///
    /// The channel must be transactional (``selectTransactions()``). If the commit before is not answered, this waits as
    /// ``commit()`` says; if it is cancelled before its own commit was sent, it rolls back.
    ///
    /// - Parameter body: Publishes and settles on this channel.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` and ``commit()`` throw.
    @discardableResult
    public func withTransaction<Result>(_ body: () async throws -> Result) async throws -> Result {
        let result: Result
        let commit: PendingCall
        do {
            result = try await body()
            commit = try await session.sendInTurn(.txCommit)
        } catch {
            try? await rollback()
            throw error
        }
        _ = try await session.answer(to: commit)
        return result
    }

    /// Asks the broker to deliver again what was delivered on this channel and is not settled (AMQP 0-9-1, section
    /// 1.8.3.16). The deliveries at hand can't be settled any more; they come again under new tags.
    ///
    /// - Parameter requeue: Whether to return them to their queues, where other consumers may get them. RabbitMQ knows
    ///   no other way, and closes the connection with ``AMQPError/Code/notImplemented`` for `false`.
    /// - Throws: An ``AMQPError``; `CancellationError`.
    public func recover(requeue: Bool = true) async throws {
        _ = try await session.call(.basicRecover(requeue: requeue))
    }
}

/// Commits and rollbacks are sent one after the other, each when no commit is unanswered.
extension ChannelSession {
    /// Sends a call when it has the turn, for which it waits no longer than the configuration's `callTimeout`.
    func sendInTurn(_ method: ClientMethod) async throws -> PendingCall {
        if let turn = try joinTurns() {
            let timeout = link.configuration.callTimeout
            do {
                try await link.waitForPeer(atMost: timeout) {
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
    func sendRollback() async throws -> PendingCall {
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
        let timeout = link.configuration.callTimeout
        // A task of its own, because the one that waits for it may be cancelled.
        return try await Task {
            try await link.waitForPeer(atMost: timeout) {
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
