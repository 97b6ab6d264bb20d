extension Connection {
    /// Ends the connection's work in an order in which nothing is lost, and closes it: what a service does when it is told to
    /// stop.
    ///
    /// ```swift
    /// let report = await connection.shutdown(within: .seconds(20))
    /// ```
    ///
    /// 1. All consumers are cancelled. What they were sent and nobody has begun goes back to its queues. Only what takes the
    ///    replies to an ``RPCClient``'s calls goes on, for handlers that wait for one.
    /// 2. Callbacks that run may return, and whatever was taken may be settled. Loops over messages end with that.
    /// 3. Acknowledgements go out, and messages that are unconfirmed by then are waited for.
    /// 4. The connection is closed, as with ``close()``.
    ///
    /// When four fifths of the time are over, or less if the configuration's `closeTimeout` is shorter than the fifth that is
    /// left, or when the task is cancelled, 2. and 3. are not waited for any more: tasks of callbacks are cancelled, which may
    /// give back their messages, and the connection is closed. The broker delivers again what was not settled then.
    ///
    /// A callback may call it: its own return, and the settlement of the message that it handles, are not waited for. What it
    /// has not settled before is delivered again.
    ///
    /// Without a connection at present, because it was lost, there is nothing to wait for: it ends at once. <doc:Shutdown> has
    /// the whole of it.
    ///
    /// - Parameter timeout: How long all of it takes at the most; the configuration's
    ///   ``ConnectionConfiguration/shutdownTimeout`` by default.
    /// - Returns: What was left.
    @discardableResult
    public func shutdown(within timeout: Duration? = nil) async -> ShutdownReport {
        await core.shutdown(within: timeout ?? core.configuration.shutdownTimeout)
    }
}
