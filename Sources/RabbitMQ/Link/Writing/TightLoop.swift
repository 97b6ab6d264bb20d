/// Whether a loop has published for a while that does nothing else. A value without a clock: times are nanoseconds of a
/// monotonic clock.
struct TightLoop {
    /// How long a message takes such a loop at the most, once it is known. Half of it and more is taken by the machine, or
    /// by a broker that is slower: what computes between two messages takes longer.
    static let longestMessage: UInt64 = 2000

    /// How long a message takes a loop that becomes known, also if it waits for room among unconfirmed messages.
    static let shortMessage: UInt64 = 1000

    /// How long it must have gone on. What publishes a few thousand messages and goes on computing has done so by then.
    static let proof: UInt64 = 400_000

    private var lastCount = 0
    private var lastLook: UInt64 = 0
    /// Since when messages take no longer than ``shortMessage``.
    private var start: UInt64?
    private var isKnown = false

    /// - Parameter count: How many messages there were so far.
    /// - Returns: Whether there is such a loop.
    mutating func look(count: Int, now: UInt64) -> Bool {
        let (messages, time) = (UInt64(clamping: count &- lastCount), now &- lastLook)
        (lastCount, lastLook) = (count, now)
        if messages &* Self.shortMessage >= time {
            let start = start ?? now
            self.start = start
            if now &- start >= Self.proof { isKnown = true }
        } else {
            start = nil
            if messages &* Self.longestMessage < time { isKnown = false }
        }
        return isKnown
    }
}
