extension Link {
    /// Waits for something that the broker says, for a limited time, and lets reading go on meanwhile: it may stand behind
    /// deliveries for which reading is paused.
    ///
    /// - Parameters:
    ///   - duration: How long at the most.
    ///   - expire: Called when that is over; `body` has to end by it.
    nonisolated func waitForPeer<T>(
        atMost duration: Duration,
        expire: @escaping @Sendable () -> Void,
        _ body: () async throws -> T
    ) async rethrows -> T {
        gauge.callBegan()
        defer { gauge.callEnded() }
        return try await withDeadline(after: duration, expire: expire, body)
    }
}
