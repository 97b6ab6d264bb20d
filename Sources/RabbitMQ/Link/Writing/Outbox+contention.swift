internal import Synchronization
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// Threads that publish at the same time take the lock from each other for every message, and with it the memory behind
/// it, which costs each more than the message does. It is better for one to go on alone for a while.
extension Outbox {
    /// A publisher that finds the lock taken twice within this time, in nanoseconds, is one of a crowd.
    private static let crowd: UInt64 = 20_000
    /// For how long, in microseconds, one of a crowd leaves the lock to the others.
    private static let pause: UInt32 = 50

    /// Calls `body` with the state, under the lock.
    ///
    /// - Parameter lastMeeting: When last the publisher found the lock taken. Who publishes now and then waits for nobody.
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
        if now &- last < Self.crowd { usleep(Self.pause) }
    }
}
