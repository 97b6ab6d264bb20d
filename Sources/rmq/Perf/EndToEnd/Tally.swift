#if Tool
internal import Histogram
internal import Synchronization

/// What producers and consumers count together.
final class Tally: Sendable {
    private let publishedCount = Atomic<Int>(0)
    private let receivedCount = Atomic<Int>(0)
    private let warmUpCount = Atomic<Int>(0)
    private let origin = ContinuousClock.now
    let stamp = LoadStamp()

    /// One for each consumer: in one for all they would wait for each other.
    let latencies: [LatencyLog]

    init(consumers: Int) { latencies = (0..<consumers).map { _ in LatencyLog() } }

    /// In nanoseconds, since it was made.
    var now: UInt64 { UInt64((ContinuousClock.now - origin) / .nanoseconds(1)) }

    var published: Int { publishedCount.load(ordering: .relaxed) }
    var received: Int { receivedCount.load(ordering: .relaxed) }
    var warmUps: Int { warmUpCount.load(ordering: .relaxed) }

    /// When the last message came; 0 if none has.
    var lastArrival: UInt64 { latencies.map(\.lastArrival).max() ?? 0 }

    func countPublished() { publishedCount.add(1, ordering: .relaxed) }

    func countWarmUp() { warmUpCount.add(1, ordering: .relaxed) }

    func countReceived(sent: UInt64, at now: UInt64, in log: LatencyLog) {
        log.record(now > sent ? now - sent : 0, at: now)
        receivedCount.add(1, ordering: .relaxed)
    }
}

/// How long messages took to one consumer, in nanoseconds.
final class LatencyLog: Sendable {
    private struct State {
        var histogram = Histogram<UInt64>(numberOfSignificantValueDigits: .three)
        var lastArrival: UInt64 = 0
    }

    private let state = Mutex(State())

    var lastArrival: UInt64 { state.withLock { $0.lastArrival } }

    func record(_ latency: UInt64, at now: UInt64) {
        state.withLock { state in
            state.histogram.record(latency)
            state.lastArrival = now
        }
    }

    /// What was recorded since it was taken last.
    func take() -> Histogram<UInt64> {
        state.withLock { state in
            let taken = state.histogram
            state.histogram.reset()
            return taken
        }
    }
}
#endif
