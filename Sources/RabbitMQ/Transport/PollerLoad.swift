/// Whether the poller's thread keeps up with its sockets. A value without a clock: times are nanoseconds of a monotonic clock.
struct PollerLoad {
    /// A wait of less was none: something was ready already.
    static let pause: UInt64 = 10_000

    /// For how long it may have no pause, and do itself what others can do as well. When many connections have an answer at the
    /// same time, it is through with them sooner than each of their queues is woken, on a thread of its own. But what never
    /// ends one thread can't do alone.
    static let longestBusy: UInt64 = 5_000_000

    private var busySince: UInt64 = 0

    /// Takes in that the thread has waited.
    ///
    /// - Returns: Whether it has time.
    mutating func waited(from start: UInt64, to end: UInt64) -> Bool {
        if end &- start >= Self.pause { busySince = end }
        return end &- busySince < Self.longestBusy
    }
}
