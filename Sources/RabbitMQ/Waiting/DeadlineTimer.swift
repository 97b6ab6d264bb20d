internal import CRabbitMQ

/// The one timer behind all deadlines of the process: a thread of the library's own, which sleeps until the earliest.
///
/// It stands in for Dispatch's timers. When they are first used these take three descriptors, and the process crashes where
/// there are none left; this one takes none.
final class DeadlineTimer: Sendable {
    static let shared = DeadlineTimer()

    /// How late deadlines may be that come in a row, in nanoseconds. To wake the thread for each costs a connection that
    /// publishes all the time 4 % of its CPU (`rmq perf publish`).
    private static let leeway: UInt64 = 15_000

    private struct State {
        var deadlines = Deadlines()
        var isRunning = false
        /// When the thread wakes by itself; 0 while it is awake, or is being woken, and looks at the deadlines anyway.
        var sleepsUntil: UInt64 = 0
    }

    private let state = Monitor(State())

    /// Starts the thread if it does not run. Whoever relies on deadlines does this first.
    ///
    /// - Throws: `connectionFailed` if the system has no thread left.
    func start() throws(AMQPError) {
        try state.withLock { state throws(AMQPError) in
            guard !state.isRunning else { return }
            try LibraryThread.start("rabbitmq.timer") { self.run() }
            state.isRunning = true
        }
    }

    /// Has `expire` called after `duration`, on the timer's thread, where it must not block.
    func add(after duration: Duration, expire: @escaping @Sendable () -> Void) -> UInt64 {
        add(at: MonotonicTime.now + duration.nanoseconds, expire: expire)
    }

    /// Has `expire` called at a time of ``MonotonicTime``, on the timer's thread, where it must not block.
    ///
    /// - Parameter period: How long after it another such deadline is likely to be due; zero if none is. It may be
    ///   late by ``leeway`` then: a thread that is awake at about the right time need not be woken.
    func add(at time: UInt64, period: UInt64 = 0, expire: @escaping @Sendable () -> Void) -> UInt64 {
        let (id, runs, wakes) = state.withLock { state in
            let (id, isEarliest) = state.deadlines.add(at: time, period: period, expire: expire)
            let wakes = isEarliest && time + (period > 0 ? Self.leeway : 0) < state.sleepsUntil
            if wakes { state.sleepsUntil = 0 }
            return (id, state.isRunning, wakes)
        }
        if wakes { state.signal() }
        // Without a thread, the next one tries again.
        if !runs { try? start() }
        return id
    }

    func remove(_ id: UInt64) {
        let removed = state.withLock { $0.deadlines.remove(id) }
        // Freed outside of the lock, with all that it holds.
        withExtendedLifetime(removed) {}
    }

    /// Waits for so long.
    ///
    /// - Throws: `CancellationError`.
    func sleep(for duration: Duration) async throws {
        let over = OneShot<Void>()
        let id = add(after: duration) { over.succeed(()) }
        defer { remove(id) }
        try await over.value()
    }

    private func run() {
        // Else the system may be 50 us late for every sleeper, a fourth of the shortest.
        shim_sleep_precisely()
        var expected: UInt64 = 0
        while true {
            let due = nextDue(expected)
            for entry in due { entry.expire() }
            let period = due.map(\.period).max() ?? 0
            if period > 0 { expected = MonotonicTime.now + period + Self.leeway }
        }
    }

    /// Sleeps until something is due.
    ///
    /// - Parameter expected: When something is likely to be due that nobody has added yet.
    /// - Returns: It. What it holds is the caller's to free, outside of the lock: what ends then may remove deadlines.
    private func nextDue(_ expected: UInt64) -> [Deadlines.Entry] {
        state.wait { state in
            let now = MonotonicTime.now
            var (due, next) = state.deadlines.takeDue(now: now)
            guard due.isEmpty else {
                state.sleepsUntil = 0
                return .done(due)
            }
            if expected > now { next = min(expected, next ?? .max) }
            state.sleepsUntil = next ?? .max
            return .sleep(until: next)
        }
    }
}

/// Runs `body` and calls `expire` if it takes longer than `duration`. `body` has to end by what `expire` does.
func withDeadline<T>(
    after duration: Duration,
    expire: @escaping @Sendable () -> Void,
    _ body: () async throws -> T
) async rethrows -> T {
    let id = DeadlineTimer.shared.add(after: duration, expire: expire)
    defer { DeadlineTimer.shared.remove(id) }
    return try await body()
}

enum MonotonicTime {
    /// Nanoseconds of the clock that stands still for nobody who sets the time (CLOCK_MONOTONIC).
    static var now: UInt64 { shim_monotonic_time() }
}

extension Duration {
    /// From nothing to a hundred years. Beyond, `components` and what is calculated with a duration may overflow.
    var clampedToCentury: Duration { min(max(self, .zero), .seconds(3_155_760_000)) }

    /// What is left of it, from `start` on, in nanoseconds of ``MonotonicTime``; all of it if that is nil.
    func left(since start: UInt64?) -> Duration {
        guard let start else { return self }
        let (end, now) = (start &+ nanoseconds, MonotonicTime.now)
        return .nanoseconds(end > now ? end - now : 0)
    }

    /// In nanoseconds, not below zero and never so many that a sum of times overflows.
    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = clampedToCentury.components
        return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    }
}
