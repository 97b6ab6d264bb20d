extension Connection {
    /// Waits until the operating system has everything that was handed over to be sent before: messages, and what settles
    /// deliveries.
    ///
    /// It is for a process that is about to end without ``close()``, which is what sends everything and waits for the
    /// broker. The system goes on sending when the process is gone. But it gives up if the network fails, or if something
    /// came from the broker that nobody has read; and RabbitMQ drops the messages that it has received and not got to when a
    /// connection ends without a word, which can be hundreds at a high rate. Only a confirm says that the broker has a
    /// message (``Channel/selectConfirms(maxUnconfirmed:)``). What is not handed over is not waited for: a publish that still waits
    /// for room or for the broker, what waits for the answer to a commit.
    ///
    /// - Parameter timeout: How long to wait; the configuration's `callTimeout` by default.
    /// - Throws: ``AMQPError/Code/timedOut`` if the peer takes no more for so long; the reason, if the connection has ended
    ///   or ends before; `CancellationError`. What was handed over is sent all the same, if it can be.
    public func flush(timeout: Duration? = nil) async throws {
        try Task.checkCancellation()
        let outbox = core.base.outbox
        guard let written = try outbox.flush() else { return }
        let timeout = timeout ?? core.configuration.timeoutOfCall
        do {
            try await withDeadline(after: timeout) {
                written.fail(
                    AMQPError(.timedOut, "the peer did not take within \(timeout) what was handed over before")
                )
            } _: {
                try await written.value()
            }
        } catch {
            outbox.leaveFlush(written)
            throw error
        }
    }
}
