internal import Synchronization
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// Threads that publish on one connection at the same time take the lock from each other for every message. With the lock the
/// lines of the outbox's memory go from one processor to the other, which takes longer than encoding a message. So one of them
/// goes on alone for a while, and the others sleep.
extension Outbox {
    /// A publisher that finds the lock taken twice within this time, in nanoseconds, is one of several that publish all the time.
    /// Who publishes now and then finds it taken less often than that, and never sleeps.
    private static let crowd: UInt64 = 20_000
    /// For how long, in microseconds, such a publisher leaves the lock to the others. It sleeps on a thread of Swift's pool, which
    /// has as many as there are processors: so no longer.
    ///
    /// Two channels that publish on one connection, without the sleep and with it (medians of 21 interleaved runs on two
    /// busy processors, `rmq perf publish-confirm --channels 2`): 1.13 -> 0.98 us a message, CPU 1.04 -> 0.88 us. Without
    /// confirms 0.46 -> 0.42 us, CPU 0.215 -> 0.210 us.
    private static let stepBackTime: UInt32 = 50

    /// Calls `body` with the state, under the lock.
    ///
    /// - Parameter lastMeeting: When the publisher last found the lock taken.
    @inline(__always)
    func withUncontendedState<Result>(
        lastMeeting: borrowing Atomic<UInt64>,
        _ body: (inout sending State) throws(AMQPError) -> sending Result
    ) throws(AMQPError) -> sending Result {
        if let result = try state.withLockIfAvailable(body) { return result }
        stepBack(lastMeeting)
        return try state.withLock(body)
    }

    @inline(never)
    private func stepBack(_ lastMeeting: borrowing Atomic<UInt64>) {
        let now = MonotonicTime.now
        let last = lastMeeting.exchange(now, ordering: .relaxed)
        if now &- last < Self.crowd { usleep(Self.stepBackTime) }
    }
}
