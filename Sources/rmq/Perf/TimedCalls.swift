#if Tool
internal import Histogram

/// Does the same over and over, in several tasks at a time, each of which waits for the one before, and times it.
struct TimedCalls {
    let options: PerfOptions
    let progress: Progress

    /// Runs it.
    ///
    /// - Parameter deadline: When it ends, if it is not done before.
    /// - Returns: How many nanoseconds each took.
    func run(
        _ count: Int,
        until deadline: ContinuousClock.Instant? = nil,
        _ body: @escaping @Sendable () async throws -> Void
    ) async throws -> Histogram<UInt64> {
        var latencies = Histogram<UInt64>(numberOfSignificantValueDigits: .three)
        let (progress, tasks) = (progress, options.tasks)
        try await withThrowingTaskGroup(of: [UInt64].self) { group in
            for index in 0..<tasks {
                let share = PerfOptions.share(of: count, index: index, count: tasks)
                group.addTask {
                    var times: [UInt64] = []
                    // Each has its own: with many tasks, and no number of messages, all together would be too much.
                    times.reserveCapacity(min(share, max(1000, 1_000_000 / tasks)))
                    for _ in 0..<share {
                        let start = ContinuousClock.now
                        if let deadline, start >= deadline { break }
                        try await body()
                        times.append(UInt64((ContinuousClock.now - start) / .nanoseconds(1)))
                        progress.add(1)
                    }
                    return times
                }
            }
            for try await times in group { for time in times { latencies.record(time) } }
        }
        return latencies
    }
}
#endif
