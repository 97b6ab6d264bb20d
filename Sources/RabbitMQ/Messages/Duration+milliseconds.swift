extension Duration {
    /// Whole milliseconds, rounded up, and no more than an `Int64` holds.
    var wholeMilliseconds: Int64 {
        // Checked before `components`, whose seconds do not hold every duration.
        guard self < .milliseconds(Int64.max) else { return .max }
        guard self > .milliseconds(Int64.min) else { return .min }
        let (seconds, attoseconds) = components
        let (milliseconds, rest) = attoseconds.quotientAndRemainder(dividingBy: 1_000_000_000_000_000)
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        let (sum, overflowed) = whole.addingReportingOverflow(milliseconds + (rest > 0 ? 1 : 0))
        return overflowed ? (seconds < 0 ? .min : .max) : sum
    }
}
