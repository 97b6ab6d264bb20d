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
    /// Until the broker has answered, whatever is published, settled, committed or rolled back on the channel throws
    /// ``AMQPError/Code/unsupported``, also when the task that waits was cancelled.
    ///
    /// - Throws: ``AMQPError/Code/preconditionFailed`` if the channel is not transactional, which closes it; other
    ///   ``AMQPError``s; `CancellationError`.
    public func commit() async throws {
        try await session.commit()
    }

    /// Drops what was published since the last commit or rollback, and begins the next transaction.
    ///
    /// Deliveries that were settled within it wait to be settled again; the broker doesn't deliver them once more, unless
    /// it is asked to (``recover(requeue:)``).
    ///
    /// - Throws: ``AMQPError/Code/preconditionFailed`` if the channel is not transactional, which closes it; other
    ///   ``AMQPError``s; `CancellationError`.
    public func rollback() async throws {
        _ = try await session.call(.txRollback)
    }

    /// Runs `body` within a transaction: commits if it returns, rolls back if it throws.
    ///
    /// The channel must be transactional (``selectTransactions()``).
    ///
    /// - Parameter body: Publishes and settles on this channel.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` and ``commit()`` throw.
    @discardableResult
    public func withTransaction<Result>(_ body: () async throws -> Result) async throws -> Result {
        let result: Result
        do {
            result = try await body()
        } catch {
            try? await rollback()
            throw error
        }
        try await commit()
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
