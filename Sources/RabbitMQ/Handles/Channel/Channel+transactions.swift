/// Transactions (AMQP 0-9-1, section 1.9): what is published and settled on the channel counts with the commit.
///
/// They are slow: the broker answers a commit when everything is on disk. Publisher confirms
/// (``Channel/selectConfirms(maxUnconfirmed:)``) are the faster way not to lose a message; a channel can't have both.
extension Channel {
    /// Makes the channel transactional. A transaction is always under way then.
    ///
    /// - Throws: ``AMQPError/Code/preconditionFailed`` if the channel confirms, which closes it; other ``AMQPError``s;
    ///   `CancellationError`.
    public func selectTransactions() async throws {
        try await core.selectTransactions()
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
        try await core.answerToCommit(try await core.sendCommit())
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
        try await core.rollback()
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
        let commit: ChannelCore.Commit
        do {
            result = try await body()
            commit = try await core.sendCommit()
        } catch {
            try? await rollback()
            throw error
        }
        try await core.answerToCommit(commit)
        return result
    }

    /// Asks the broker to deliver again what was delivered on this channel and is not settled (AMQP 0-9-1, section
    /// 1.8.3.16). The deliveries at hand can't be settled any more; they come again under new tags.
    ///
    /// - Parameter requeue: Whether to return them to their queues, where other consumers may get them. RabbitMQ knows
    ///   no other way, and closes the connection with ``AMQPError/Code/notImplemented`` for `false`.
    /// - Throws: An ``AMQPError``; `CancellationError`.
    public func recover(requeue: Bool = true) async throws {
        _ = try await core.call(.basicRecover(requeue: requeue))
    }
}
