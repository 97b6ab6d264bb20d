/// What goes on from minute to minute, and what has come to a stop.
struct SoakProgress: Sendable {
    private var last: [String: Int] = [:]

    /// Notes how far each has come.
    ///
    /// - Returns: What has come no further since the last time.
    mutating func stalled(at counts: [String: Int]) -> [String] {
        let stalled = counts.filter { $0.value <= last[$0.key] ?? 0 }.keys.sorted()
        last = counts
        return stalled
    }
}
