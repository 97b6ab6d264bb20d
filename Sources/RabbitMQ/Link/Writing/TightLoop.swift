/// Whether a loop has published for a while that does nothing else. A value without a clock: times are nanoseconds of a
/// monotonic clock.
struct TightLoop {
    /// How long a message takes such a loop at the most. Whatever computes between two messages takes longer.
    static let longestMessage: UInt64 = 350

    /// How long it must have gone on. What publishes a few thousand messages and goes on computing has done so by then.
    static let proof: UInt64 = 400_000

    private var lastCount = 0
    private var lastLook: UInt64 = 0
    private var start: UInt64 = 0

    /// - Parameter count: How many messages there were so far.
    /// - Returns: Whether there is such a loop.
    mutating func look(count: Int, now: UInt64) -> Bool {
        let isTight = UInt64(clamping: count &- lastCount) &* Self.longestMessage >= now &- lastLook
        (lastCount, lastLook) = (count, now)
        if !isTight { start = now }
        return now &- start >= Self.proof
    }
}
