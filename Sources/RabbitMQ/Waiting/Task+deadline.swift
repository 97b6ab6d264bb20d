extension Task where Failure == any Error {
    /// What comes of a task that others wait for, too.
    ///
    /// - Throws: What the task throws, `late` if it goes on for longer than `duration`, `CancellationError` if the caller is
    ///   cancelled: then it goes on as well.
    func sharedValue(within duration: Duration, otherwise late: AMQPError) async throws -> Success {
        // Whoever waits for a task's value does so for as long as it takes.
        let waiter = OneShot<Success>()
        Task<Void, Never> {
            do {
                waiter.succeed(try await value)
            } catch {
                waiter.fail(error)
            }
        }
        return try await withDeadline(after: duration) {
            waiter.fail(late)
        } _: {
            try await waiter.value()
        }
    }
}
