#if Tool
/// How far the broker's clock is from this machine's.
struct ClockDifference {
    /// In seconds.
    private let seconds: Double

    /// - Parameters:
    ///   - time: What the broker's showed, in whole seconds since 1970. It is a number that a peer sends, and may be any.
    ///   - before: What this machine's showed before that.
    ///   - after: What it showed after that.
    init(broker time: Double, between before: Double, and after: Double) {
        seconds = time < before ? time - before : time > after ? time - after : 0
    }

    /// Such as `5 s ahead`; nil if it is no more than the time that passes when one asks.
    var text: String? {
        guard abs(seconds) > 2 else { return nil }
        let count = Int64(exactly: abs(seconds).rounded()).map { "\($0) s" } ?? "an age"
        return "\(count) \(seconds > 0 ? "ahead" : "behind")"
    }
}
#endif
