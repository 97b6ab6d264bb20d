#if Tool
/// Not more than so many a second.
struct Pace {
    private let interval: Duration?
    private var next = ContinuousClock.now

    /// - Parameters:
    ///   - rate: How many a second; nil for no limit.
    ///   - phase: After which part of the time between two the first one is due: of many with the same rate not all at once.
    init(rate: Double?, phase: Double = 0) {
        interval = rate.map { .seconds(1) / $0 }
        if let interval { next += interval * phase }
    }

    /// Waits until it is time for the next one, or somebody wants to stop.
    mutating func wait(unless stop: Stop? = nil) async throws {
        guard let interval else { return }
        // What was missed is not made up for in a burst.
        next = max(next, .now - .milliseconds(100))
        while stop?.isRequested != true {
            let rest = next - .now
            guard rest > .zero else { break }
            // Nobody is asked in vain: a thousand tasks that look up ten times a second cost more than what they do.
            try await Task.sleep(for: stop == nil ? rest : min(rest, .milliseconds(100)))
        }
        next += interval
    }
}
#endif
